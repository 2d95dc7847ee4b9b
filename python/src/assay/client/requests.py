"""The options of the client's methods, as fields of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any, TypedDict

from assay.client.answers.dataset import EmbeddingType
from assay.client.answers.sample import TrainingCheckpoint
from assay.client.answers.signals import Signal
from assay.client.operations.score import ScoreOptions
from assay.client.weighting import Weighting


class Checkpoint(TypedDict):
    """A served model, a direction made with its weights, and the learning rate of its steps."""

    model: str
    direction: str
    learning_rate: float


class EmbeddingLimits(TypedDict, total=False):
    """How a dataset keeps embeddings; fields that are left out have the service's defaults."""

    type: EmbeddingType
    bytes_max: int


EmbeddingSetting = EmbeddingType | EmbeddingLimits | EllipsisType | None
"""Which embeddings a dataset keeps: None for none, and `...` leaves it as it is."""

At = tuple[str, int] | TrainingCheckpoint
"""A checkpoint of a training: its name and its step."""


def checkpoint_field(at: At) -> TrainingCheckpoint:
    """The checkpoint as a field of a request."""
    if isinstance(at, tuple):
        name, step = at
        return {"name": name, "step": int(step)}
    return at


def without_none(**fields: Any) -> dict[str, Any]:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def score_options(
    signals: Sequence[Signal] | None,
    weighting: Weighting | None,
    reference_model: str | None,
    trajectory: Sequence[Checkpoint] | None,
    **fields: Any,
) -> ScoreOptions:
    """The fields of POST /v1/score beside its samples."""
    given = without_none(
        signals=None if signals is None else list(signals),
        reference=None if reference_model is None else {"model": reference_model},
        trajectory=None if trajectory is None else list(trajectory),
        **fields,
    )
    return ScoreOptions(given, None if weighting is None else dict(weighting))


def weighting_fields(lambda_: float | None, **fields: Any) -> Mapping[str, Any]:
    """The fields of a weighting; `lambda_` is called `lambda` there."""
    return without_none(**{**fields, "lambda": lambda_})


def histogram_options(bins: int | None, scale: str | None, map: bool) -> Mapping[str, str]:
    """The options of histograms as parameters of a URL."""
    given = without_none(bins=None if bins is None else str(bins), scale=scale)
    return {**given, "map": "true"} if map else given


def slice_options(by: str, limit: int | None) -> Mapping[str, str]:
    """The options of slices as parameters of a URL."""
    return without_none(by=by, limit=None if limit is None else str(limit))


def dataset_settings(embedding: EmbeddingSetting, hashed_ids: bool | None) -> Mapping[str, Any]:
    """What a dataset is to keep, as fields of a request."""
    fields: dict[str, Any] = {} if hashed_ids is None else {"hashed_ids": hashed_ids}
    if isinstance(embedding, EllipsisType):
        return fields
    if isinstance(embedding, str):
        return {**fields, "embedding": {"type": embedding}}
    return {**fields, "embedding": None if embedding is None else dict(embedding)}
