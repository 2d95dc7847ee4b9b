"""The client of the service: `Client`, and `AsyncClient` for asyncio."""

from assay.client.answers import (
    BatchDiagnostics,
    Dataset,
    Diagnostics,
    Direction,
    KeptSample,
    LookUpRow,
    Model,
    Models,
    ModelVersion,
    Observed,
    ScoreRow,
    Snapshot,
)
from assay.client.async_client import AsyncClient
from assay.client.client import Client
from assay.client.errors import AssayError, Fault, SampleError, UnknownIdError
from assay.client.requests import Checkpoint
from assay.client.retry import Retry
from assay.client.scores import LookUp, Request, Scores
from assay.client.sending import Limits
from assay.client.weighting import Share, Weighting

__all__ = [
    "AssayError",
    "AsyncClient",
    "BatchDiagnostics",
    "Checkpoint",
    "Client",
    "Dataset",
    "Diagnostics",
    "Direction",
    "Fault",
    "KeptSample",
    "Limits",
    "LookUp",
    "LookUpRow",
    "Model",
    "ModelVersion",
    "Models",
    "Observed",
    "Request",
    "Retry",
    "SampleError",
    "ScoreRow",
    "Scores",
    "Share",
    "Snapshot",
    "UnknownIdError",
    "Weighting",
]
