"""Datasets, their weights, and look-ups in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assay.client.answers.sample import Mode
from assay.client.answers.score import Diagnostics
from assay.client.answers.signals import KeptSignalValues

EmbeddingType = Literal["int8", "float16"]


class LookUpRow(KeptSignalValues, total=False):
    """What a dataset keeps of one id. `weight` is that of the newest snapshot.

    `later` is True if the sample came after the weighing and got its weight by the same rule.
    """

    id: str
    weight: float | None
    later: bool
    kept_id: str
    stale: bool
    observed: Mode | None


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
class EmbeddedBy:
    """What made embeddings: the model (`name@version`), the place in it, and the values of each."""

    model: str
    after: str
    size: int


@dataclass(frozen=True)
class KeptEmbeddings:
    """The embeddings that a dataset keeps: at most `bytes_max` bytes, of which `bytes` are taken.

    `samples` counts those with an embedding of the newest model, and `of` says what made these;
    None if there are none yet. `outdated` counts the samples whose embedding is of an earlier
    model.
    """

    type: EmbeddingType
    bytes_max: int
    bytes: int
    samples: int
    of: EmbeddedBy | None
    outdated: int


@dataclass(frozen=True)
class Dataset:
    """A dataset and its counts. `models` are `name@version`.

    `embedding` is None if the dataset is to keep no embeddings. With `hashed_ids` it keeps a keyed
    hash in place of each id.
    """

    dataset: str
    samples: int
    created_at: datetime
    updated_at: datetime
    models: list[str]
    samples_by_model: dict[str, int]
    samples_by_source: dict[str, int]
    snapshot: Snapshot | None
    embedding: KeptEmbeddings | None
    hashed_ids: bool
