"""Directions."""

from __future__ import annotations

from typing import Any

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

    def scale_direction(
        self,
        name: str,
        *,
        optimiser: Any | None = None,
        module: Any | None = None,
        squared: bool = False,
        scale: Any | None = None,
    ) -> Direction:
        """Multiplies a direction by a vector, once: `influence` is then as an optimiser sees it.

        Pass the Adam or AdamW `optimiser` and the `module` that it trains: D = 1/(√v̂ + ε). Then
        −η times `influence` is the first-order change of the loss behind the direction by one step
        on a sample, while v̂ stands still and without momentum. `squared` takes D², the whitened
        product. Or pass a `scale` (P) of your own, at least 0, in the manifest's order.

        The same scale again changes nothing. docs/directions.md has an example.

        Raises:
            AssayError: the optimiser is no Adam or has taken no step (`unsuitable_optimiser`), the
                module has other parameters (`unsuitable_model`), another vector has scaled the
                direction (`direction_scaled`), or the scale does not fit (`scale_invalid`).
        """
        by = directions.preconditioner(optimiser, module, squared=squared, scale=scale)
        return self._driver.run(directions.scale_direction(name, by))

    def directions(self) -> list[Direction]:
        """All directions, by name."""
        return self._driver.run(directions.list_directions())

    def direction(self, name: str) -> Direction:
        """One direction, without its entries."""
        return self._driver.run(directions.read_direction(name))

    def delete_direction(self, name: str) -> None:
        """Deletes a direction."""
        self._driver.run(datasets.delete(direction_path(name)))
