"""Weights and signals by id, from one snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest
import torch

from assay import AssayError
from assay.client import Limits, SampleError, UnknownIdError
from fake_service import FakeService, connect

both = pytest.mark.parametrize("kind", ["sync", "async"])
FEW = Limits(ids=2)


def kept(snapshot: Callable[[], int | None] = lambda: 1) -> Callable[[httpx2.Request], Any]:
    """A dataset of the ids 0, 1, 2, ... whose weights are a tenth of them; 13 has none."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        version = snapshot()
        rows = [
            {
                "id": id,
                "weight": None if id == "13" or version is None else int(id) / 10,
                "stale": False,
            }
            if id.isdecimal()
            else None
            for id in json.loads(request.content)["ids"]
        ]
        as_of = None if version is None else "2026-11-30T16:11:59.489Z"
        body = {
            "dataset": "shop",
            "as_of": as_of,
            "snapshot": version,
            "weight_sum": 1,
            "results": rows,
        }
        return httpx2.Response(200, json=body)

    return answer


@both
@pytest.mark.parametrize(
    "ids",
    [
        [3, 1, 2, 5],
        ["3", "1", "2", "5"],
        (n for n in (3, 1, 2, 5)),
        np.array([3, 1, 2, 5]),
        torch.tensor([3, 1, 2, 5]),
        pd.Series([3, 1, 2, 5]),
    ],
    ids=["integers", "texts", "a generator", "numpy", "torch", "pandas"],
)
def test_weights_come_in_the_ids_order(kind: str, ids: Any) -> None:
    ids = [3, 1, 2, 5] if not hasattr(ids, "__len__") and kind == "async" else ids
    service = FakeService(kept())
    weights = connect(kind, service, limits=FEW).weights(ids, dataset="my shop/1")
    assert isinstance(weights, np.ndarray)
    assert weights.tolist() == [0.3, 0.1, 0.2, 0.5]
    assert [body["ids"] for body in service.bodies] == [["3", "1"], ["2", "5"]]
    assert {r.url.raw_path for r in service.requests} == {b"/v1/datasets/my%20shop%2F1/lookup"}


@both
def test_a_lookup_keeps_the_order_and_gives_none_where_an_id_is_unknown(kind: str) -> None:
    found = connect(kind, FakeService(kept()), limits=FEW).lookup(["x", 2, 13], dataset="shop")
    assert [None if row is None else row["id"] for row in found] == [None, "2", "13"]
    assert found.snapshot == 1
    assert found.as_of.isoformat() == "2026-11-30T16:11:59.489000+00:00"


@both
def test_no_ids_have_no_weights(kind: str) -> None:
    service = FakeService(kept())
    client = connect(kind, service)
    assert len(client.lookup([], dataset="shop")) == 0
    assert client.weights([], dataset="shop").shape == (0,)
    assert service.requests == []


@both
def test_ids_without_a_weight_are_an_error_or_take_the_fallback(kind: str) -> None:
    client = connect(kind, FakeService(kept()), limits=FEW)
    ids = [1, *(f"x{n}" for n in range(6)), 13]
    with pytest.raises(UnknownIdError) as error:
        client.weights(ids, dataset="shop")
    assert isinstance(error.value, KeyError)
    assert error.value.ids == ("x0", "x1", "x2", "x3", "x4", "x5", "13")
    assert "no weight of 'x0', 'x1', 'x2', 'x3', 'x4' and 2 more" in str(error.value)
    assert client.weights(ids, dataset="shop", fallback=1).tolist() == [0.1, *[1.0] * 7]


@both
def test_a_dataset_that_was_never_weighed_is_an_error_even_with_a_fallback(kind: str) -> None:
    client = connect(kind, FakeService(kept(lambda: None)))
    with pytest.raises(AssayError, match=r"has no weights yet: call weigh\('shop'\)") as error:
        client.weights([1], dataset="shop", fallback=1)
    assert error.value.code == "no_weights"


@both
def test_a_snapshot_may_be_named(kind: str) -> None:
    service = FakeService(kept())
    connect(kind, service).weights([1], dataset="shop", snapshot=1)
    connect(kind, service).lookup([1], dataset="shop", snapshot=1)
    connect(kind, service).lookup([1], dataset="shop")
    pinned = {"ids": ["1"], "snapshot": 1}
    assert service.bodies == [pinned, pinned, {"ids": ["1"]}]


@both
def test_weights_are_never_of_two_snapshots(kind: str) -> None:
    versions = iter([1, 2, 2, 2])
    service = FakeService(kept(lambda: next(versions)))
    client = connect(kind, service, limits=Limits(ids=2, in_flight=1))
    assert client.lookup([1, 2, 3], dataset="shop").snapshot == 2
    assert len(service.requests) == 4

    counting = iter(range(100))
    client = connect(kind, FakeService(kept(lambda: next(counting))), limits=FEW)
    with pytest.raises(AssayError, match="was weighed again") as error:
        client.lookup([1, 2, 3], dataset="shop")
    assert error.value.code == "snapshot_changed"


@both
@pytest.mark.parametrize("ids", [[1.5], [None], [float("nan")]])
def test_an_id_that_is_none_is_refused_by_row(kind: str, ids: list[object]) -> None:
    with pytest.raises(SampleError, match="row 0, id: is"):
        connect(kind, FakeService(kept())).lookup(ids, dataset="shop")


@both
def test_one_id_alone_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="pass several"):
        connect(kind, FakeService(kept())).weights("q1", dataset="shop")
