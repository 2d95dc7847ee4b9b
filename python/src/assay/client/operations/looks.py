"""A whole dataset: its samples by a signal, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.client.answers.look import Histograms, Slices
from assay.client.answers.sample import ListedSample
from assay.client.call import Call, Plan
from assay.client.decode import decode
from assay.client.operations.datasets import PAGE, with_signals
from assay.client.paths import dataset_path

Ranges = Mapping[str, tuple[float | None, float | None]]
"""Least and greatest value of a signal, an extra or the weight, ends included; None: no end."""


@dataclass(frozen=True)
class Filter:
    """Which samples are meant; by default all."""

    label: float | None
    source: str | None
    ranges: Ranges | None

    def query(self) -> dict[str, str | Sequence[str]]:
        """The filter as parameters of a URL."""
        given: dict[str, str | Sequence[str]] = {}
        if self.label is not None:
            given["label"] = _number(self.label)
        if self.source is not None:
            given["source"] = self.source
        if self.ranges:
            given["range"] = [
                f"{name}:{_number(least)}..{_number(most)}"
                for name, (least, most) in self.ranges.items()
            ]
        return given

    def fields(self) -> dict[str, Any]:
        """The filter as fields of a body."""
        given: dict[str, Any] = {"label": self.label, "source": self.source}
        if self.ranges:
            given["ranges"] = [
                {
                    "column": name,
                    **({} if least is None else {"min": float(least)}),
                    **({} if most is None else {"max": float(most)}),
                }
                for name, (least, most) in self.ranges.items()
            ]
        return {name: value for name, value in given.items() if value is not None}


@dataclass
class Pages:
    """The samples of a dataset in pages, at most `limit` of them. Each `next` is a plan."""

    dataset: str
    sort: str
    filter: Filter
    limit: int | None
    _cursor: str | None = None
    _read: int = 0
    _was_last: bool = False

    @property
    def ended(self) -> bool:
        """Whether there is no further page."""
        return self._was_last or self._read == self.limit

    def next(self) -> Plan[list[ListedSample]]:
        """The next page."""
        most = int(PAGE) if self.limit is None else min(int(PAGE), self.limit - self._read)
        query = {**self.filter.query(), "sort": self.sort, "limit": str(most)}
        if self._cursor is not None:
            query["cursor"] = self._cursor
        [answer] = yield [Call("GET", f"{dataset_path(self.dataset)}/samples", query)]
        found = [decode(ListedSample, with_signals(entry)) for entry in answer["samples"]]
        self._cursor = answer["next_cursor"]
        self._read += len(found)
        self._was_last = self._cursor is None
        return found


def histograms(
    dataset: str, columns: Sequence[str], options: Mapping[str, str], filter: Filter
) -> Plan[Histograms]:
    """Counts the samples of a dataset in bins of their values."""
    query = {**filter.query(), **options, "column": list(columns)}
    [answer] = yield [Call("GET", f"{dataset_path(dataset)}/histograms", query)]
    return decode(Histograms, answer)


def slices(
    dataset: str, columns: Sequence[str], options: Mapping[str, str], filter: Filter
) -> Plan[Slices]:
    """Compares the sources or labels of a dataset."""
    query = {**filter.query(), **options, "column": list(columns)}
    [answer] = yield [Call("GET", f"{dataset_path(dataset)}/slices", query)]
    return decode(Slices, answer)


def _number(value: float | None) -> str:
    """A number in digits, NumPy's too."""
    return "" if value is None else repr(float(value))
