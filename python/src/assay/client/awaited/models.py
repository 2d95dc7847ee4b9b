"""Models, and new weights for them, for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.client.answers.model import Model, Models
from assay.client.awaited.base import Base
from assay.client.operations import models


class Served(Base):
    """Models, and new weights for them, for asyncio."""

    async def models(self) -> Models:
        """As `Client.models`."""
        return await self._driver.run(models.list_models())

    async def model(self, name: str) -> Model:
        """As `Client.model`."""
        return await self._driver.run(models.read_model(name))

    async def reload_model(self, name: str) -> Model:
        """As `Client.reload_model`."""
        return await self._driver.run(models.reload_model(name))

    async def push_weights(
        self,
        source: Any,
        name: str,
        *,
        tokenizer: Any | None = None,
        provenance: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
    ) -> Model:
        """As `Client.push_weights`."""
        plan = models.push_weights(source, name, tokenizer, provenance or {}, metrics or {})
        return await self._driver.run(plan)
