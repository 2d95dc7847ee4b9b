"""Directions, for asyncio."""

from __future__ import annotations

from typing import Any

from assay.client.answers.direction import Direction, DirectionKind
from assay.client.answers.signals import Loss
from assay.client.awaited.base import Base
from assay.client.operations import datasets, directions
from assay.client.paths import direction_path
from assay.client.requests import without_none
from assay.client.samples import Columns
from assay.client.sources import Samples


class DirectionMethods(Base):
    """Directions, for asyncio."""

    async def make_direction(
        self,
        name: str,
        samples: Samples,
        *,
        kind: DirectionKind,
        loss: Loss | None = None,
        model: str | None = None,
        id: str | None = None,
        query: str | None = None,
        document: str | None = None,
        text: str | None = None,
        label: str | None = None,
        group: str | None = None,
        source: str | None = None,
    ) -> Direction:
        """As `Client.make_direction`."""
        columns = Columns(
            id=id,
            query=query,
            document=document,
            text=text,
            label=label,
            group=group,
            source=source,
        )
        fields = without_none(kind=kind, loss=loss, model=model)
        return await self._driver.run(directions.make_direction(name, samples, columns, fields))

    async def scale_direction(
        self,
        name: str,
        *,
        optimiser: Any | None = None,
        module: Any | None = None,
        squared: bool = False,
        scale: Any | None = None,
    ) -> Direction:
        """As `Client.scale_direction`."""
        by = directions.preconditioner(optimiser, module, squared=squared, scale=scale)
        return await self._driver.run(directions.scale_direction(name, by))

    async def directions(self) -> list[Direction]:
        """As `Client.directions`."""
        return await self._driver.run(directions.list_directions())

    async def direction(self, name: str) -> Direction:
        """As `Client.direction`."""
        return await self._driver.run(directions.read_direction(name))

    async def delete_direction(self, name: str) -> None:
        """As `Client.delete_direction`."""
        await self._driver.run(datasets.delete(direction_path(name)))
