"""What datasets remember."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

from assay.client.blocking.base import Base


class DatasetMethods(Base):
    """What datasets remember."""

    def datasets(self) -> list[Dataset]:
        """All datasets, by name."""
        return self._driver.run(datasets.list_datasets())

    def dataset(self, dataset: str) -> Dataset:
        """One dataset and its counts."""
        return self._driver.run(datasets.read_dataset(dataset))

    def set_dataset(
        self, dataset: str, *, embedding: EmbeddingSetting = ..., hashed_ids: bool | None = None
    ) -> Dataset:
        """Sets what a dataset keeps, and makes it if there is none.

        With `embedding="int8"`, "float16" or `{"type": "int8", "bytes_max": 10**9}` it keeps an
        embedding of each sample that is scored from now on, which `select` for diversity reads.
        None deletes those that are kept, and so does another type. Left out, it stays as it is.

        With `hashed_ids=True` it keeps a keyed hash in place of each id. Look-ups, deletions and
        exclusion lists still take your ids; lists, selections and exports have the hashes, and
        `lookup` says which is which (`kept_id`). Only a dataset without samples changes it.
        """
        return self._driver.run(
            datasets.set_dataset(dataset, dataset_settings(embedding, hashed_ids))
        )

    def samples(
        self,
        dataset: str,
        *,
        sort: str = "-loss",
        label: float | None = None,
        source: str | None = None,
        ranges: Ranges | None = None,
        limit: int | None = None,
    ) -> Iterator[ListedSample]:
        """The samples of a dataset in the order of a value, read in pages while you iterate.

        `sort` is a signal, `extras.NAME` or `weight`; with a minus sign before it, the largest
        first. Samples without the value are left out. `label`, `source` and `ranges` leave out
        others: `ranges={"loss": (0.1, None)}`. `limit` is the most samples that are read. The order
        is that of an index, which is at most a minute behind.
        """
        pages = Pages(dataset, sort, Filter(label, source, ranges), limit)
        while not pages.ended:
            yield from self._driver.run(pages.next())

    def histograms(
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
        """Counts the samples of a dataset in bins of each column.

        `columns` are signals, `extras.NAME` or `weight`. `scale="log"` makes bins of equal ratio,
        and `map` counts the pairs of the first two columns too. The filter is as in `samples`.
        """
        options = histogram_options(bins, scale, map)
        filter = Filter(label, source, ranges)
        return self._driver.run(count(dataset, columns, options, filter))

    def slices(
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
        """Compares the sources or labels of a dataset: sizes, weights, means of the columns.

        `columns` are signals, `extras.NAME` or `weight`; the mean of `influence` says which source
        helps. `limit` is the most slices, of which the largest come (by default 100). The filter is
        as in `samples`.
        """
        filter = Filter(label, source, ranges)
        return self._driver.run(compare(dataset, columns, slice_options(by, limit), filter))

    def sample(self, id: str | int, *, dataset: str) -> KeptSample:
        """What a dataset remembers about one sample."""
        return self._driver.run(datasets.read_sample(id, dataset))

    def history(self, id: str | int, *, dataset: str) -> History | None:
        """The logits of one sample by checkpoint; None where it was never scored with one."""
        return self._driver.run(datasets.read_history(id, dataset))

    def export(
        self,
        dataset: str,
        target: Target,
        *,
        format: Format | None = None,
        snapshot: int | None = None,
    ) -> Export:
        """Writes a whole dataset to a path or an open binary file, in constant memory.

        Without a `format`, the ending of a path names it (.ndjson, .csv, .arrows, .parquet), and an
        open file gets NDJSON. A path has its new file once the export is complete: until then,
        and after an error, an existing file stays. `snapshot` is the version of the weights.
        docs/datasets.md describes the columns.
        """
        return self._driver.run(export(dataset, target, format, snapshot))

    def export_table(self, dataset: str, *, snapshot: int | None = None) -> pyarrow.Table:
        """A whole dataset as an Arrow table, in memory; `.to_pandas()` makes a frame of it.

        It needs pyarrow.
        """
        table: pyarrow.Table = self._driver.run(export_table(dataset, snapshot))
        return table

    def delete_sample(self, id: str | int, *, dataset: str) -> None:
        """Deletes one sample of a dataset."""
        self._driver.run(datasets.delete_sample(id, dataset))

    def delete_dataset(self, dataset: str) -> None:
        """Deletes a dataset with its samples and snapshots."""
        self._driver.run(datasets.delete(dataset_path(dataset)))
