"""The client of the service: `Client`, and `AsyncClient` for asyncio."""

from assay.client.answers.dataset import Dataset, KeptEmbeddings, LookUpRow, Snapshot
from assay.client.answers.direction import Direction
from assay.client.answers.estimate import Estimate, Estimates
from assay.client.answers.explanation import Explanation, Piece
from assay.client.answers.job import Job
from assay.client.answers.look import Histogram, Histograms, Slice, Slices
from assay.client.answers.model import Model, Models
from assay.client.answers.noise import Noise, Suspect
from assay.client.answers.sample import History, KeptSample, ListedSample, Observed
from assay.client.answers.score import BatchDiagnostics, Diagnostics, ModelVersion, ScoreRow
from assay.client.answers.selection import Selection
from assay.client.async_client import AsyncClient
from assay.client.client import Client
from assay.client.errors import AssayError, Fault, SampleError, UnknownIdError
from assay.client.operations.export import Export
from assay.client.requests import Checkpoint, EmbeddingLimits
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
    "EmbeddingLimits",
    "Estimate",
    "Estimates",
    "Explanation",
    "Export",
    "Fault",
    "Histogram",
    "Histograms",
    "History",
    "Job",
    "KeptEmbeddings",
    "KeptSample",
    "Limits",
    "ListedSample",
    "LookUp",
    "LookUpRow",
    "Model",
    "ModelVersion",
    "Models",
    "Noise",
    "Observed",
    "Piece",
    "Request",
    "Retry",
    "SampleError",
    "ScoreRow",
    "Scores",
    "Selection",
    "Share",
    "Slice",
    "Slices",
    "Snapshot",
    "Suspect",
    "UnknownIdError",
    "Weighting",
]
