"""Directions."""

from __future__ import annotations

from assay.client.answers.direction import Direction, DirectionKind
from assay.client.answers.signals import Loss
from assay.client.blocking.base import Base
from assay.client.operations import datasets, directions
from assay.client.paths import direction_path
from assay.client.requests import without_none
from assay.client.samples import Columns
from assay.client.sources import Samples


class DirectionMethods(Base):
    """Directions."""

    def make_direction(
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
        """Makes a direction from any number of labelled samples, or replaces it.

        Samples and their columns are as in `score`. docs/directions.md says what it is.

        Raises:
            SampleError: a sample has a fault; nothing was sent.
        """
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
        return self._driver.run(directions.make_direction(name, samples, columns, fields))

    def directions(self) -> list[Direction]:
        """All directions, by name."""
        return self._driver.run(directions.list_directions())

    def direction(self, name: str) -> Direction:
        """One direction, without its entries."""
        return self._driver.run(directions.read_direction(name))

    def delete_direction(self, name: str) -> None:
        """Deletes a direction."""
        self._driver.run(datasets.delete(direction_path(name)))
