"""Wrong labels of a dataset."""

from __future__ import annotations

from collections.abc import Iterable

from assay.client.answers.noise import Evidence, Noise
from assay.client.blocking.base import Base
from assay.client.operations.lookup import read_ids
from assay.client.operations.noise import find_noise
from assay.client.progress import Progress
from assay.client.requests import without_none


class NoiseMethods(Base):
    """Wrong labels of a dataset."""

    def noise(
        self,
        dataset: str,
        *,
        evidence: Evidence | None = None,
        checkpoint: str | None = None,
        planted: Iterable[object] | None = None,
        recall: float | None = None,
        limit: int | None = None,
        progress: Progress = False,
    ) -> Noise:
        """The labels 0 and 1 of a dataset that may be wrong, and how many are.

        It reads what the dataset has: by default the held-out logits under the checkpoint "oof",
        or else the mean over the checkpoints, or else the newest logits. `planted` are ids of
        samples whose labels you flipped on purpose: the answer then has the threshold that finds
        the share `recall` of them. `limit` is how many suspects to answer: 100 by default. Nothing
        is kept or changed.

        It runs as a job, which an interrupt cancels. Read the answer's `advice`.
        """
        fields = without_none(
            evidence=evidence,
            checkpoint=checkpoint,
            planted=None if planted is None else read_ids(planted),
            recall=recall,
            limit=limit,
        )
        return self._driver.run(find_noise(dataset, fields, progress))
