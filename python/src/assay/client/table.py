"""Rows of an answer by row and by column, and as frames of the libraries that the caller has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

Row = TypeVar("Row")


class Table(Generic[Row]):
    """Rows (N) of an answer, in the caller's order; a row is None where there is none."""

    def __init__(self, rows: Sequence[Row | None]) -> None:
        self._rows = rows
        names = dict.fromkeys(name for row in rows if row is not None for name in _mapping(row))
        self._columns = [n for n in names if any(_value(row, n) is not None for row in rows)]

    @property
    def columns(self) -> list[str]:
        """The names of the columns: those that have a value in any row."""
        return list(self._columns)

    def column(self, name: str) -> list[Any]:
        """A column (N) as a list of floats, booleans, text or lists; None where there is no value.

        Raises:
            KeyError: no row has such a value.
        """
        if name not in self._columns:
            raise KeyError(f"there is no column {name!r}; there are {', '.join(self._columns)}")
        return [_value(row, name) for row in self._rows]

    def __getitem__(self, name: str) -> Any:
        """A column (N): a NumPy array if it holds numbers and NumPy is installed, else a list.

        In an array of floats, NaN is where a row has no value.

        Raises:
            KeyError: as `column`.
        """
        return as_array(self.column(name))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row | None]:
        return iter(self._rows)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas frame, one row for each of the caller's, in their order."""
        import pandas

        return pandas.DataFrame({name: self.column(name) for name in self._columns})

    def to_polars(self) -> polars.DataFrame:
        """A polars frame, one row for each of the caller's, in their order."""
        import polars

        data = {name: self.column(name) for name in self._columns}
        return polars.DataFrame(data, strict=False)

    def to_arrow(self) -> pyarrow.Table:
        """An Arrow table, one row for each of the caller's, in their order."""
        import pyarrow

        return pyarrow.table({name: pyarrow.array(self.column(name)) for name in self._columns})


def as_array(values: list[Any]) -> Any:
    """Numbers or booleans (N) as a NumPy array, if NumPy is installed; other values unchanged.

    Integers stay integers where none is missing.
    """
    kinds = {type(value) for value in values if value is not None}
    if find_spec("numpy") is None or not kinds <= {bool, int, float}:
        return values
    import numpy

    if kinds in ({bool}, {int}) and None not in values:
        return numpy.array(values)
    return numpy.array([float("nan") if value is None else value for value in values], float)


def _mapping(row: object) -> dict[str, Any]:
    return cast(dict[str, Any], row)


def _value(row: object, name: str) -> Any:
    """A value of a row. Every number is a float: JSON writes 1.0 as 1."""
    value = None if row is None else _mapping(row).get(name)
    return float(value) if type(value) is int else value
