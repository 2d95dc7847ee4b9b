"""Samples of every kind of source: what is sent of them, and what is refused by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from assay import AssayError
from assay.client import SampleError
from assay.client.samples import Columns, read_samples

DATA: dict[str, list[Any]] = {
    "pid": [7, 8, 9],
    "query": ["usb c cable", "mouse", "蓝牙耳机"],
    "title": ["cable, 2 m", "chair", "真无线"],
    "relevant": [True, False, None],
    "price": [9.5, 80.0, 3.25],
    "other": ["x", "y", "z"],
}
COLUMNS = Columns(
    id="pid",
    document="title",
    label="relevant",
    group="query",
    source="other",
    extras=("price",),
)
EXPECTED = [
    {
        "id": str(DATA["pid"][row]),
        "query": DATA["query"][row],
        "document": DATA["title"][row],
        "source": DATA["other"][row],
        "group": DATA["query"][row],
        "extras": {"price": DATA["price"][row]},
        **({} if row == 2 else {"label": int(DATA["relevant"][row])}),
    }
    for row in range(3)
]


def mappings() -> list[dict[str, Any]]:
    return [{name: column[row] for name, column in DATA.items()} for row in range(3)]


SOURCES: dict[str, Callable[[], Any]] = {
    "a list of mappings": mappings,
    "a generator": lambda: (row for row in mappings()),
    "a mapping of columns": lambda: DATA,
    "a mapping of arrays": lambda: DATA | {"pid": np.array(DATA["pid"], np.int32)},
    "pandas": lambda: pd.DataFrame(DATA),
    "pandas, nullable": lambda: pd.DataFrame(DATA).convert_dtypes(),
    "pandas, another index": lambda: pd.DataFrame(DATA, index=[5, 5, 5]),
    "polars": lambda: pl.DataFrame(DATA),
    "polars, lazy": lambda: pl.LazyFrame(DATA),
    "an Arrow table": lambda: pa.table(DATA),
    "an Arrow record batch": lambda: pa.RecordBatch.from_pydict(DATA),
    "a Hugging Face dataset": lambda: datasets.Dataset.from_dict(DATA),
    "an iterable dataset": lambda: datasets.Dataset.from_dict(DATA).to_iterable_dataset(),
}


def sent(samples: Any, columns: Columns = COLUMNS) -> list[Any]:
    return [json.loads(sample.json) for sample in read_samples(samples, columns)]


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_samples(source: str) -> None:
    assert sent(SOURCES[source]()) == EXPECTED


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(1), 1),
        (np.bool_(True), 1),
        (True, 1),
        (torch.tensor(0.25), 0.25),
        (torch.tensor([0.25, 0.75]), [0.25, 0.75]),
        (np.array([0, 1]), [0, 1]),
        ((np.float64(0.5), 0.5), [0.5, 0.5]),
        (pa.scalar(3), 3),
    ],
)
def test_scalars_of_libraries_become_plain_numbers(label: object, expected: object) -> None:
    [sample] = sent([{"text": "a", "label": label}], Columns())
    assert sample == {"text": "a", "label": expected}
    assert type(sample["label"]) is type(expected)


@pytest.mark.parametrize("label", [None, pd.NA, pd.NaT])
def test_a_missing_label_is_no_label(label: object) -> None:
    assert sent([{"text": "a", "label": label}], Columns()) == [{"text": "a"}]


@pytest.mark.parametrize(
    ("sample", "field", "message"),
    [
        ({"label": float("nan")}, "label", "is NaN: give a number, or None if there is none"),
        ({"label": np.float32("nan")}, "label", "is NaN"),
        ({"label": float("inf")}, "label", "is inf: give a finite number"),
        ({"label": [0.5, float("nan")]}, "label", "is NaN"),
        ({"label": [0.5, None]}, "label", "has an entry that is None"),
        ({"label": "relevant"}, "label", "is 'relevant' (str): give a number"),
        ({"query": float("nan")}, "query", "is NaN: give a text"),
        ({"query": 7}, "query", "is 7 (int): give a text"),
        ({"query": "\ud800"}, "query", "holds a lone surrogate"),
        ({"id": 1.0}, "id", "is the float 1.0: give text or an integer"),
        ({"group": float("nan")}, "group", "is NaN: give text or an integer, or None if there is"),
        ({"id": True}, "id", "is True (bool): give text or an integer"),
        ({"group": ["g"]}, "group", "is ['g'] (list)"),
        ({"extras": {"price": "x"}}, "extras", "price: is 'x' (str)"),
        ({"extras": 3}, "extras", "is 3 (int): give a mapping"),
    ],
)
def test_a_value_that_cannot_be_sent_is_refused_by_row(
    sample: dict[str, Any], field: str, message: str
) -> None:
    good = {"query": "a", "document": "b", "label": 1}
    with pytest.raises(SampleError) as error:
        read_samples([good, good | sample], Columns())
    [fault] = error.value.faults
    assert (fault.row, fault.field, fault.path) == (1, field, f"/samples/1/{field}")
    assert message in fault.message
    assert str(error.value).startswith(f"invalid_sample: row 1, {field}: ")


def test_faults_name_the_callers_columns() -> None:
    frame = pd.DataFrame({"q": ["a", "b"], "d": ["c", "d"], "y": [1.0, float("nan")]})
    with pytest.raises(SampleError, match="row 1, y: is NaN"):
        read_samples(frame, Columns(query="q", document="d", label="y"))


def test_an_id_that_comes_twice_is_refused() -> None:
    with pytest.raises(SampleError, match="row 2, pid: is the id of row 0 too"):
        read_samples(DATA | {"pid": [7, 8, "7"]}, COLUMNS)


@pytest.mark.parametrize("source", ["a list of mappings", "pandas", "polars", "an Arrow table"])
def test_a_named_column_that_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(SampleError, match="no sample has a column 'lable'"):
        read_samples(SOURCES[source](), Columns(label="lable"))


def test_naming_the_text_leaves_query_and_document_out() -> None:
    both = [{"query": "a", "document": "b", "text": "c"}]
    assert sent(both, Columns(text="text")) == [{"text": "c"}]
    assert sent(both, Columns(query="query")) == [{"query": "a", "document": "b"}]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ("a,b", "samples are a str"),
        (3, "samples are a int"),
        (["a"], "row 0 is a str"),
        (pd.Series([1]), "a Series has no columns"),
        (
            datasets.DatasetDict(train=datasets.Dataset.from_dict(DATA)),
            r"pass one of them \(train\)",
        ),
    ],
)
def test_what_holds_no_samples_is_refused(samples: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read_samples(samples, Columns())


def test_no_samples_are_refused() -> None:
    with pytest.raises(SampleError, match="give at least one sample"):
        read_samples([], Columns())


def test_a_refusal_is_a_value_error_and_an_assay_error() -> None:
    assert issubclass(SampleError, (AssayError, ValueError))
