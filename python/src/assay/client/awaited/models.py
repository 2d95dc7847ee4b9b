"""Models, and new weights for them, for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from assay.client.answers.model import Model, Models
from assay.client.awaited.base import Base
from assay.client.operations import models
from assay.client.operations.models import PushOptions
from assay.client.sources import Samples


class ModelMethods(Base):
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
        check: Literal["fast", "full"] = "fast",
        texts: Samples | None = None,
    ) -> Model:
        """As `Client.push_weights`."""
        options = PushOptions(tokenizer, provenance or {}, metrics or {}, check, texts)
        return await self._driver.run(models.push_weights(source, name, options, self._limits))
