"""Long work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay.client.answers.dataset import Snapshot
from assay.client.answers.noise import Noise
from assay.client.answers.selection import SelectionFacts
from assay.client.errors import AssayError

JobKind = Literal["weigh", "select", "noise"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Job:
    """One piece of long work, at one moment.

    `progress` is the share that is done. `result` is there once the state is `done`: the snapshot
    that was made, what was selected, or the noise of the labels. A list of jobs has the facts of a
    selection without its samples, and noise without its suspects. `problem` is
    there once the state is `failed`.
    """

    id: str
    kind: JobKind
    dataset: str
    state: JobState
    progress: float
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    result: Snapshot | SelectionFacts | Noise | None
    problem: AssayError | None
