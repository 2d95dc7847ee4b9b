"""Models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from assay.client.answers.signals import Precision


@dataclass(frozen=True)
class Memory:
    """Memory of a model in bytes; the last two are estimates."""

    used_bytes: int | None
    forward_bytes: int
    all_graphs_bytes: int


@dataclass(frozen=True)
class Embedding:
    """The embedding that a model's graphs give."""

    size: int
    after: str


@dataclass(frozen=True)
class ExtraInput:
    """An extra that a trained estimator reads."""

    name: str
    optional: bool


@dataclass(frozen=True)
class LearnedInputs:
    """What a trained estimator reads."""

    features: int
    signals: list[str]
    extras: list[ExtraInput]


@dataclass(frozen=True)
class Learned:
    """The trained estimator behind the signal `learned`."""

    target: str
    loss: str
    inputs: LearnedInputs
    model_version: str
    stale: bool
    held_out: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Model:
    """An exported ranker that the service serves, or can."""

    name: str
    version: str
    status: Literal["idle", "loading", "ready", "failed"]
    task: Literal["binary", "regression", "classification"]
    classes: int
    class_names: list[str] | None
    tokens_max: int
    precisions: list[Precision]
    precision: Precision
    gradient_graphs: list[Literal["norms", "tangent", "accumulate", "attribution"]]
    gradient_graphs_unsupported: str | None
    gradient_scope: str | None
    memory: Memory
    embedding: Embedding | None
    learned: Learned | None
    provenance: dict[str, Any]
    metrics: dict[str, Any]
    licence: dict[str, Any]


@dataclass(frozen=True)
class Models:
    """Every model folder. `faulty` are those that cannot be served."""

    default: str | None
    models: list[Model]
    faulty: list[str]
