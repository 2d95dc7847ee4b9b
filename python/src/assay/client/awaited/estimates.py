"""Estimates from samples that were not drawn evenly, for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.client.answers.estimate import Estimates
from assay.client.awaited.base import Base
from assay.client.operations.estimate import estimate
from assay.client.requests import without_none


class EstimateMethods(Base):
    """Estimates from samples that were not drawn evenly, for asyncio."""

    async def estimate(
        self,
        values: Mapping[str, Any],
        *,
        inclusion_probabilities: Any | None = None,
        population: int | None = None,
        log_p: Any | None = None,
        log_q: Any | None = None,
        normalised: bool | None = None,
    ) -> Estimates:
        """As `Client.estimate`."""
        lists = without_none(
            inclusion_probabilities=inclusion_probabilities, log_p=log_p, log_q=log_q
        )
        fields = without_none(population=population, normalised=normalised)
        return await self._driver.run(estimate(values, lists, fields))
