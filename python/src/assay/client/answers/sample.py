"""What a dataset remembers about a sample, and what a trainer posts of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

from assay.client.answers.signals import KeptSignalValues

Mode = Literal["train", "eval"]


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


@dataclass(frozen=True, kw_only=True)
class ListedSample:
    """What a dataset remembers of one sample: no text. `model` is `name@version`.

    `group` is a digest, equal for the samples of a group. In a dataset that hashes its ids, a
    list has the hashes, and `kept_id` is the hash of an `id` that was asked for.
    """

    id: str
    label: float | list[float] | None
    group: str | None
    source: str | None
    extras: dict[str, float]
    weight: float | None
    loss_name: str
    model: str
    scored_at: datetime
    stale: bool
    observed: Mode | None
    earlier: dict[str, str]
    text_digest: str | None
    signals: KeptSignalValues
    later: bool | None = None
    kept_id: str | None = None


@dataclass(frozen=True)
class CheckpointLogits:
    """The logits (K) of a sample at one checkpoint, in float16."""

    name: str
    step: int
    logits: list[float]


@dataclass(frozen=True)
class MergedCheckpoints:
    """Older checkpoints of a sample, of which only sums are kept; `through` is the last of them."""

    checkpoints: int
    through: TrainingCheckpoint


@dataclass(frozen=True)
class History:
    """The logits of a sample by checkpoint: the newest, in the order of their steps."""

    checkpoints: list[CheckpointLogits]
    merged: MergedCheckpoints | None


@dataclass(frozen=True, kw_only=True)
class KeptSample(ListedSample):
    """The same of a sample that was asked for by its id. `as_of` is the time of its weight."""

    dataset: str
    as_of: datetime | None
    history: History | None
