"""What the service answers, as types. A test holds them against openapi.json.

Fields that a newer service adds are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

Loss = Literal["bce", "cross_entropy", "mse", "pairwise", "listwise"]
Precision = Literal["fp32", "int8"]
Mode = Literal["train", "eval"]
DirectionKind = Literal["loss_gradient", "mean_direction"]
Signal = Literal[
    "loss",
    "probability",
    "margin",
    "entropy",
    "confidence",
    "el2n",
    "grad_norm_last",
    "grad_norm",
    "sensitivity",
    "expected_grad_norm",
    "influence",
    "alignment",
    "tangent",
    "rho",
    "learned",
]
# Those that a dataset keeps too: the last four are of a history of checkpoints.
KeptSignal = Literal[Signal, "mean_confidence", "variability", "aum", "forgetting"]


class SignalValues(TypedDict, total=False):
    """Signals of one sample: those that were asked for."""

    loss: float
    probability: float
    margin: float
    entropy: float
    confidence: float
    el2n: float
    grad_norm_last: float
    grad_norm: float
    sensitivity: float
    expected_grad_norm: float
    influence: float
    alignment: float
    tangent: float
    rho: float
    learned: float


class ScoreRow(SignalValues, total=False):
    """One scored sample. K logits: `logits` and `probabilities` in place of one."""

    id: str | None
    logit: float
    logits: list[float]
    probabilities: list[float]
    estimated: bool
    grad_norm_error: float
    weight: float | None
    multiplier: float | None
    cached: bool
    truncated: bool


class KeptSignalValues(SignalValues, total=False):
    """Signals that a dataset keeps of one sample."""

    mean_confidence: float
    variability: float
    aum: float
    forgetting: float


class LookUpRow(KeptSignalValues, total=False):
    """What a dataset keeps of one id. `weight` is that of the newest snapshot.

    `later` is True if the sample came after the weighing and got its weight by the same rule.
    """

    id: str
    weight: float | None
    later: bool
    stale: bool
    observed: Literal["train", "eval"] | None


@dataclass(frozen=True)
class ExactShare:
    """With `exact_fraction`: what the exactly scored share says about the batch."""

    samples: int
    spearman: float | None
    pearson: float | None
    relative_error: float
    grad_norm_sum: float
    grad_norm_sum_error: float
    effective_sample_size_error: float | None


@dataclass(frozen=True)
class Diagnostics:
    """How far weights may be trusted; docs/weights.md explains each figure."""

    effective_sample_size: float | None
    max_weight: float | None
    pareto_k: float | None
    pareto_k_threshold: float | None
    tau: float | None
    advice: list[str]


@dataclass(frozen=True)
class BatchDiagnostics(Diagnostics):
    """Those of one request."""

    cache_hits: int
    exact_share: ExactShare | None = None


@dataclass(frozen=True)
class ModelVersion:
    """The model that scored. `gradient_scope` where a signal reads gradients."""

    name: str
    version: str
    gradient_scope: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """One weighting of a whole dataset. `diagnostics` is there where it has just been made.

    `weight_sum` is that of the samples that are still there.
    """

    version: int
    as_of: datetime
    samples: int
    weight_sum: float | None
    provenance: dict[str, Any]
    diagnostics: Diagnostics | None = None


@dataclass(frozen=True)
class Weighed:
    """Which snapshot the weights of a look-up come from; all None if there is none."""

    snapshot: int | None
    as_of: datetime | None
    weight_sum: float | None


@dataclass(frozen=True)
class Dataset:
    """A dataset and its counts. `models` are `name@version`."""

    dataset: str
    samples: int
    created_at: datetime
    updated_at: datetime
    models: list[str]
    samples_by_model: dict[str, int]
    samples_by_source: dict[str, int]
    snapshot: Snapshot | None


class TrainingCheckpoint(TypedDict):
    """A checkpoint of a training, by which histories are ordered."""

    name: str
    step: int


@dataclass(frozen=True)
class Observed:
    """What was written of the outputs that a trainer posted.

    `late` counts the samples whose histories stay as they were, because they have already merged a
    checkpoint of this step or a later one.
    """

    dataset: str
    model: str
    checkpoint: TrainingCheckpoint
    samples: int
    late: int


@dataclass(frozen=True)
class KeptSample:
    """What a dataset remembers of one sample: no text. `model` is `name@version`.

    `group` is a digest, equal for the samples of a group.
    """

    dataset: str
    id: str
    label: float | list[float] | None
    group: str | None
    source: str | None
    extras: dict[str, float]
    weight: float | None
    as_of: datetime | None
    loss_name: str
    model: str
    scored_at: datetime
    stale: bool
    observed: Literal["train", "eval"] | None
    earlier: dict[str, str]
    text_digest: str | None
    history: dict[str, Any] | None
    signals: KeptSignalValues
    later: bool | None = None


@dataclass(frozen=True)
class Direction:
    """A vector in parameter space, without its entries."""

    name: str
    kind: DirectionKind
    model: ModelVersion
    gradient_scope: str
    loss: str
    samples: int
    zero_gradients: int
    norm: float
    coherence: float | None
    bytes: int
    created_at: datetime
    stale: bool


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
