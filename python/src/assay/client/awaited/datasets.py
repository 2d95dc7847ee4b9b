"""What datasets remember, for asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal

from assay.client.answers.dataset import Dataset
from assay.client.answers.look import Histograms, Slices
from assay.client.answers.sample import History, KeptSample, ListedSample
from assay.client.operations import datasets
from assay.client.operations.export import Export, Format, Target, export, export_table
from assay.client.operations.looks import Filter, Pages, Ranges
from assay.client.operations.looks import histograms as count
from assay.client.operations.looks import slices as compare
from assay.client.paths import dataset_path
from assay.client.requests import (
    EmbeddingSetting,
    dataset_settings,
    histogram_options,
    slice_options,
)

if TYPE_CHECKING:
    import pyarrow

from assay.client.awaited.base import Base


class DatasetMethods(Base):
    """What datasets remember, for asyncio."""

    async def datasets(self) -> list[Dataset]:
        """As `Client.datasets`."""
        return await self._driver.run(datasets.list_datasets())

    async def dataset(self, dataset: str) -> Dataset:
        """As `Client.dataset`."""
        return await self._driver.run(datasets.read_dataset(dataset))

    async def set_dataset(
        self, dataset: str, *, embedding: EmbeddingSetting = ..., hashed_ids: bool | None = None
    ) -> Dataset:
        """As `Client.set_dataset`."""
        return await self._driver.run(
            datasets.set_dataset(dataset, dataset_settings(embedding, hashed_ids))
        )

    async def samples(
        self,
        dataset: str,
        *,
        sort: str = "-loss",
        label: float | None = None,
        source: str | None = None,
        ranges: Ranges | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[ListedSample]:
        """As `Client.samples`."""
        pages = Pages(dataset, sort, Filter(label, source, ranges), limit)
        while not pages.ended:
            for sample in await self._driver.run(pages.next()):
                yield sample

    async def histograms(
        self,
        dataset: str,
        *,
        columns: Sequence[str] = ("loss",),
        bins: int | None = None,
        scale: Literal["linear", "log"] | None = None,
        map: bool = False,
        label: float | None = None,
        source: str | None = None,
        ranges: Ranges | None = None,
    ) -> Histograms:
        """As `Client.histograms`."""
        options = histogram_options(bins, scale, map)
        filter = Filter(label, source, ranges)
        return await self._driver.run(count(dataset, columns, options, filter))

    async def slices(
        self,
        dataset: str,
        *,
        by: Literal["source", "label"] = "source",
        columns: Sequence[str] = ("loss",),
        limit: int | None = None,
        label: float | None = None,
        source: str | None = None,
        ranges: Ranges | None = None,
    ) -> Slices:
        """As `Client.slices`."""
        filter = Filter(label, source, ranges)
        return await self._driver.run(compare(dataset, columns, slice_options(by, limit), filter))

    async def sample(self, id: str | int, *, dataset: str) -> KeptSample:
        """As `Client.sample`."""
        return await self._driver.run(datasets.read_sample(id, dataset))

    async def history(self, id: str | int, *, dataset: str) -> History | None:
        """As `Client.history`."""
        return await self._driver.run(datasets.read_history(id, dataset))

    async def export(
        self,
        dataset: str,
        target: Target,
        *,
        format: Format | None = None,
        snapshot: int | None = None,
    ) -> Export:
        """As `Client.export`."""
        return await self._driver.run(export(dataset, target, format, snapshot))

    async def export_table(self, dataset: str, *, snapshot: int | None = None) -> pyarrow.Table:
        """As `Client.export_table`."""
        table: pyarrow.Table = await self._driver.run(export_table(dataset, snapshot))
        return table

    async def delete_sample(self, id: str | int, *, dataset: str) -> None:
        """As `Client.delete_sample`."""
        await self._driver.run(datasets.delete_sample(id, dataset))

    async def delete_dataset(self, dataset: str) -> None:
        """As `Client.delete_dataset`."""
        await self._driver.run(datasets.delete(dataset_path(dataset)))
