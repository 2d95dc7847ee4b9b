"""Samples selected, and the jobs of long work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.client.answers.job import Job
from assay.client.answers.selection import Method, Selection, StratifyBy
from assay.client.blocking.base import Base
from assay.client.operations import jobs
from assay.client.operations.looks import Filter, Ranges
from assay.client.operations.lookup import read_ids
from assay.client.operations.select import select
from assay.client.progress import Progress
from assay.client.requests import without_none


class SelectionMethods(Base):
    """Samples selected, and the jobs of long work."""

    def select(
        self,
        dataset: str,
        method: Method,
        *,
        size: int | None = None,
        share: float | None = None,
        signal: str | None = None,
        stratify_by: StratifyBy | None = None,
        quotas: Mapping[str, int] | None = None,
        label: float | None = None,
        source: str | None = None,
        ranges: Ranges | None = None,
        exclude: Iterable[object] | None = None,
        seed: int | str | None = None,
        prune: float | None = None,
        epoch: int | None = None,
        epochs: int | None = None,
        strength: float | None = None,
        outliers: float | None = None,
        diverse: bool | None = None,
        progress: Progress = False,
    ) -> Selection:
        """Selects samples of a dataset: their ids, probabilities and multipliers.

        `size` or `share` says how many, and `signal` what is compared: a signal, `extras.NAME`, or
        `weight`. `label`, `source` and `ranges` say which samples can be selected, as in `samples`,
        and `exclude` are ids that are not. The other options are those of
        POST /v1/datasets/{dataset}/select: docs/selection.md. It runs as a job, which an interrupt
        cancels. Read the selection's `advice`.
        """
        filter = Filter(label, source, ranges).fields()
        fields = without_none(
            method=method,
            size=size,
            share=share,
            signal=signal,
            stratify_by=stratify_by,
            quotas=None if quotas is None else dict(quotas),
            filter=filter or None,
            exclude=None if exclude is None else read_ids(exclude),
            seed=seed,
            prune=prune,
            epoch=epoch,
            epochs=epochs,
            strength=strength,
            outliers=outliers,
            diverse=diverse,
        )
        return self._driver.run(select(dataset, fields, progress))

    def jobs(self) -> list[Job]:
        """The jobs that wait, run, or ended in the last hour, the newest first."""
        return self._driver.run(jobs.list_jobs())

    def job(self, id: str) -> Job:
        """One job: how far it is, and its result once it is done."""
        return self._driver.run(jobs.read_job(id))

    def cancel(self, id: str) -> Job:
        """Asks a job to end. A job that has ended stays as it is."""
        return self._driver.run(jobs.cancel_job(id))
