"""Outputs of a trainer's own model: from its arrays to the service."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from assay import AssayError, Client
from assay.client import Limits, Retry, SampleError
from fake_service import FakeService, connect, observed, problem

both = pytest.mark.parametrize("kind", ["sync", "async"])
AT = ("epoch 1", 100)


@both
@pytest.mark.parametrize(
    "made",
    [
        list,
        tuple,
        np.array,
        lambda values: np.array(values, np.float32),
        lambda values: torch.tensor(values, dtype=torch.bfloat16, requires_grad=True) * 1,
        pd.Series,
        pl.Series,
        lambda values: pa.chunked_array([values[:1], values[1:]]),
        lambda values: [torch.tensor(value) for value in values],
    ],
    ids=["list", "tuple", "numpy", "float32", "tensor", "pandas", "polars", "arrow", "scalars"],
)
def test_columns_may_be_of_any_kind(kind: str, made: Any) -> None:
    service = FakeService(observed)
    answer = connect(kind, service).observe(
        "my shop", [1, 2, 3], made([0.5, -2.0, 1.0]), made([1.0, 0.0, 1.0]), checkpoint=AT
    )
    assert (answer.samples, answer.late, answer.model) == (3, 1, "observed")
    assert service.bodies == [
        {
            "loss": "bce",
            "checkpoint": {"name": "epoch 1", "step": 100},
            "mode": "train",
            "samples": [
                {"id": "1", "logits": 0.5, "label": 1},
                {"id": "2", "logits": -2, "label": 0},
                {"id": "3", "logits": 1, "label": 1},
            ],
        }
    ]
    assert service.requests[0].url.raw_path == b"/v1/datasets/my%20shop/observations"


@both
def test_several_logits_are_of_cross_entropy_and_what_is_given_is_sent(kind: str) -> None:
    service = FakeService(observed)
    logits = torch.tensor([[0.5, 1.0], [2.0, -1.0]])
    connect(kind, service).observe(
        "shop",
        np.array(["a", "b"]),
        logits,
        np.array([1, 0]),
        checkpoint={"name": "last", "step": 7},
        mode="eval",
        model="mine",
        feature_norms=[3.0, None],
        groups=["g", None],
        sources=[None, "crawl"],
    )
    [body] = service.bodies
    assert body.pop("samples") == [
        {"id": "a", "logits": [0.5, 1], "label": 1, "feature_norm": 3, "group": "g"},
        {"id": "b", "logits": [2, -1], "label": 0, "source": "crawl"},
    ]
    assert body == {
        "loss": "cross_entropy",
        "checkpoint": {"name": "last", "step": 7},
        "mode": "eval",
        "model": "mine",
    }


@both
def test_samples_without_a_label_say_so(kind: str) -> None:
    service = FakeService(observed)
    connect(kind, service).observe("shop", ["a"], [0.5], None, checkpoint=AT)
    connect(kind, service).observe("shop", ["a"], [0.5], pd.array([None]), checkpoint=AT)
    samples = [body["samples"] for body in service.bodies]
    assert samples == [[{"id": "a", "logits": 0.5, "label": None}]] * 2


@both
def test_requests_are_divided_with_groups_whole_and_answers_are_summed(kind: str) -> None:
    service = FakeService(observed)
    told: list[tuple[int, int]] = []
    answer = connect(kind, service, limits=Limits(samples=3)).observe(
        "shop",
        range(7),
        [0.0] * 7,
        [1] * 7,
        checkpoint=AT,
        loss="listwise",
        groups=[n % 3 for n in range(7)],
        progress=lambda done, total: told.append((done, total)),
    )
    divided = {tuple(s["id"] for s in body["samples"]) for body in service.bodies}
    assert divided == {("0", "3", "6"), ("1", "4"), ("2", "5")}
    assert (answer.samples, answer.late) == (7, 3)
    assert sorted(told)[-1] == (7, 7)


@both
def test_requests_hold_no_more_logits_than_the_service_takes(kind: str) -> None:
    service = FakeService(observed)
    logits = np.zeros((130, 1024))
    answer = connect(kind, service).observe("d", list(range(130)), logits, [0] * 130, checkpoint=AT)
    assert sorted(len(body["samples"]) for body in service.bodies) == [2, 64, 64]
    assert answer.samples == 130


@both
def test_a_request_that_broke_is_sent_again_as_it_was(kind: str) -> None:
    service = FakeService(observed, [httpx2.ReadError("reset"), problem(503, "store_unavailable")])
    client = connect(kind, service, retry=Retry(first_s=0.001))
    client.observe("shop", ["a"], [0.5], [1], checkpoint=AT)
    assert len(service.requests) == 3
    assert len({request.content for request in service.requests}) == 1


@both
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ids": ["a", None]}, "row 1, ids: is missing"),
        ({"ids": [1.5, "b"]}, "row 0, ids: is the float 1.5"),
        ({"ids": ["a", "a"]}, "row 1, ids: is the id of row 0 too"),
        ({"logits": [0.5, float("nan")]}, "row 1, logits: is NaN"),
        ({"logits": [[0.5, 1], [1, float("inf")]]}, "row 1, logits: is inf"),
        ({"logits": [[0.5, 1], [1, 2, 3]]}, "row 1, logits: holds 3 logits, and row 0 holds 2"),
        ({"logits": [0.5, None]}, "row 1, logits: is missing"),
        ({"labels": [1, float("nan")]}, "row 1, labels: is NaN"),
        ({"labels": [1]}, "labels hold 1 values, and ids 2"),
        ({"feature_norms": [1, "long"]}, "row 1, feature_norms: is 'long'"),
        ({"ids": [], "logits": [], "labels": []}, "are none"),
    ],
)
def test_a_fault_is_found_before_anything_is_sent(
    kind: str, given: dict[str, Any], message: str
) -> None:
    service = FakeService(observed)
    arguments = {"ids": ["a", "b"], "logits": [0.5, 0.1], "labels": [1, 0]} | given
    with pytest.raises(SampleError, match=message):
        connect(kind, service).observe("shop", **arguments, checkpoint=AT)
    assert service.requests == []


@both
def test_one_value_in_place_of_a_column_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="labels are one int: pass a list"):
        connect(kind, FakeService(observed)).observe("shop", ["a"], [0.5], 1, checkpoint=AT)


@both
def test_a_fault_of_the_service_names_the_callers_row(kind: str) -> None:
    def refused(request: httpx2.Request) -> httpx2.Response:
        ids = [sample["id"] for sample in json.loads(request.content)["samples"]]
        if "7" not in ids:
            return observed(request)
        path = f"/samples/{ids.index('7')}/label"
        return problem(422, "unsuitable_label", "no", faults=[{"path": path, "message": "is 7"}])

    client = connect(kind, FakeService(refused), limits=Limits(samples=3))
    with pytest.raises(AssayError, match="row 7, labels: is 7") as error:
        client.observe("shop", range(9), [0.5] * 9, [1] * 9, checkpoint=AT)
    assert error.value.faults[0].row == 7


def test_observed_outputs_are_signals_and_a_history(client: Client) -> None:
    ids = [f"o{n}" for n in range(50)]
    logits = np.linspace(-3, 3, 50, dtype=np.float32)
    labels = (logits > 0).astype(int)
    for step in (1, 2):
        answer = client.observe(
            "observed",
            ids,
            torch.tensor(logits) * step,
            labels,
            checkpoint=(f"epoch {step}", step),
            feature_norms=np.ones(50),
            sources=["crawl"] * 50,
        )
        assert (answer.samples, answer.late) == (50, 0)
    found = client.lookup(ids, dataset="observed")
    margins = np.where(labels == 1, logits, -logits)
    np.testing.assert_allclose(found["loss"], np.log1p(np.exp(-2 * margins)), rtol=1e-5)
    np.testing.assert_allclose(found["aum"], 1.5 * margins, atol=5e-3)
    assert np.isfinite(found["grad_norm_last"]).all()
    with pytest.raises(AssayError, match="row 1, labels: bce takes a label from 0 to 1"):
        client.observe("observed", ids[:2], [0.5, 0.5], [1, 7], checkpoint=("epoch 3", 3))
    client.delete_dataset("observed")
