"""Where samples come from: rows, columns, or a frame of a library, as one mapping a sample.

No library is imported: whoever passes a frame has imported it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Samples = Iterable[Mapping[str, Any]] | Mapping[str, Sequence[Any]] | Any
"""Mappings, one a sample; a mapping of columns; a pandas or polars frame, an Arrow table or record
batch, or a Hugging Face dataset."""


def rows_of(samples: Any, wanted: Iterable[str]) -> Iterator[Mapping[str, object]]:
    """The samples in turn. Of frames and columns, only the wanted columns are read.

    Raises:
        TypeError: the samples are none of `Samples`.
    """
    names = column_names(samples)
    if names is None:
        yield from _mappings(samples)
        return
    if type(samples).__name__ == "LazyFrame":
        samples = samples.collect()
    columns = {name: _column(samples, name) for name in dict.fromkeys(wanted) if name in names}
    if not columns and names:
        return
    yield from (
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    )


def column_names(samples: Any) -> list[str] | None:
    """The columns of a frame or of a mapping of columns; None for mappings one a sample."""
    if isinstance(samples, Mapping):
        if _library(samples) == "datasets":
            splits = ", ".join(map(str, samples))
            raise TypeError(f"a DatasetDict holds several datasets: pass one of them ({splits})")
        return [str(name) for name in samples]
    if _library(samples) == "polars" and type(samples).__name__ == "LazyFrame":
        return list(samples.collect_schema().names())
    if _library(samples) in ("pandas", "polars"):
        if type(samples).__name__ != "DataFrame":
            raise TypeError(f"a {type(samples).__name__} has no columns: pass a DataFrame")
        return [str(name) for name in samples.columns]
    if _library(samples) in ("pyarrow", "datasets"):
        names = getattr(samples, "column_names", None)
        if names is None or type(samples).__name__ == "IterableDataset":
            return None
        return list(names)
    return None


def _column(samples: Any, name: str) -> Iterable[object]:
    library = _library(samples)
    if library == "pyarrow":
        values: Iterable[object] = samples.column(name).to_pylist()
        return values
    if library == "polars":
        return list(samples.get_column(name))
    if library == "pandas":
        # Objects keep None apart from NaN.
        return list(samples[name].astype(object))
    return list(samples[name])


def _mappings(samples: Any) -> Iterator[Mapping[str, object]]:
    if isinstance(samples, (str, bytes)) or not isinstance(samples, Iterable):
        raise TypeError(
            f"samples are a {type(samples).__name__}: pass mappings, one a sample, a mapping of "
            "columns, a pandas or polars frame, an Arrow table, or a Hugging Face dataset"
        )
    for row, sample in enumerate(samples):
        if not isinstance(sample, Mapping):
            raise TypeError(f"row {row} is a {type(sample).__name__}, not a mapping of its columns")
        yield sample


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]
