"""Wrong labels of a dataset, for asyncio."""

from __future__ import annotations

from collections.abc import Iterable

from assay.client.answers.noise import Evidence, Noise
from assay.client.awaited.base import Base
from assay.client.operations.lookup import read_ids
from assay.client.operations.noise import find_noise
from assay.client.progress import Progress
from assay.client.requests import without_none


class NoiseMethods(Base):
    """Wrong labels of a dataset, for asyncio."""

    async def noise(
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
        """As `Client.noise`."""
        fields = without_none(
            evidence=evidence,
            checkpoint=checkpoint,
            planted=None if planted is None else read_ids(planted),
            recall=recall,
            limit=limit,
        )
        return await self._driver.run(find_noise(dataset, fields, progress))
