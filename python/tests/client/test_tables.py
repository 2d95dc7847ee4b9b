"""Rows by column, and as frames."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest

from assay.client import LookUp, LookUpRow
from assay.client.answers.dataset import Weighed

ROWS = cast(
    list[LookUpRow | None],
    [
        {"id": "a", "weight": 0.25, "loss": 1, "stale": False},
        None,
        {"id": "c", "weight": None, "loss": 2.5, "stale": True},
    ],
)
TABLE = LookUp(ROWS, "shop", Weighed(3, None, 1.0))


def test_numbers_are_arrays_with_nan_where_there_is_none() -> None:
    assert TABLE.columns == ["id", "weight", "loss", "stale"]
    weights = TABLE["weight"]
    assert isinstance(weights, np.ndarray)
    assert weights.dtype == np.float64
    assert weights[0] == 0.25
    assert np.isnan(weights[1:]).all()
    assert TABLE.column("weight") == [0.25, None, None]
    assert {type(value) for value in TABLE.column("loss")} == {float, type(None)}
    assert TABLE["id"] == ["a", None, "c"]


def test_a_column_without_a_value_is_left_out_and_named() -> None:
    table = LookUp([{"id": "a", "weight": None, "stale": False}], "shop", Weighed(None, None, None))
    assert table.columns == ["id", "stale"]
    assert table["stale"].dtype == np.bool_
    with pytest.raises(KeyError, match="there is no column 'weight'; there are id, stale"):
        table["weight"]


def test_frames_have_a_row_for_each_of_the_callers() -> None:
    pandas, polars, arrow = TABLE.to_pandas(), TABLE.to_polars(), TABLE.to_arrow()
    assert list(pandas.columns) == polars.columns == arrow.column_names == TABLE.columns
    assert arrow.to_pylist() == [
        {"id": "a", "weight": 0.25, "loss": 1, "stale": False},
        {"id": None, "weight": None, "loss": None, "stale": None},
        {"id": "c", "weight": None, "loss": 2.5, "stale": True},
    ]
    assert polars.to_dicts() == arrow.to_pylist()
    assert len(pandas) == 3
    assert pandas["loss"][2] == 2.5
    assert math.isnan(pandas["weight"][2])


def test_a_table_says_what_it_holds() -> None:
    assert repr(TABLE) == "<LookUp of 3 ids in shop, 2 known>"
    assert list(TABLE) == ROWS
