"""Samples selected, and the jobs of long work, for asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assay.client.answers.job import Job
from assay.client.answers.selection import Method, Selection, StratifyBy
from assay.client.awaited.base import Base
from assay.client.operations import jobs
from assay.client.operations.looks import Filter, Ranges
from assay.client.operations.lookup import read_ids
from assay.client.operations.select import select
from assay.client.progress import Progress
from assay.client.requests import without_none


class SelectionMethods(Base):
    """Samples selected, and the jobs of long work, for asyncio."""

    async def select(
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
        """As `Client.select`."""
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
        return await self._driver.run(select(dataset, fields, progress))

    async def jobs(self) -> list[Job]:
        """As `Client.jobs`."""
        return await self._driver.run(jobs.list_jobs())

    async def job(self, id: str) -> Job:
        """As `Client.job`."""
        return await self._driver.run(jobs.read_job(id))

    async def cancel(self, id: str) -> Job:
        """As `Client.cancel`."""
        return await self._driver.run(jobs.cancel_job(id))
