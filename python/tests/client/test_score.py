"""Scoring: requests, order, weights, faults by row, progress."""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

import httpx2
import pandas as pd
import pytest

from assay import AssayError
from assay.client import Limits, Retry
from fake_service import Answer, FakeService, connect, numbered, problem, scored

both = pytest.mark.parametrize("kind", ["sync", "async"])
FEW = Limits(samples=3, in_flight=2)


@both
def test_results_are_in_the_callers_order_whatever_the_order_of_the_answers(kind: str) -> None:
    def late_first(request: httpx2.Request) -> httpx2.Response:
        if b'"s0"' in request.content:
            time.sleep(0.05)
        return scored(request)

    samples = [s | {"group": f"g{n % 4}"} for n, s in enumerate(numbered(10))]
    service = FakeService(late_first)
    scores = connect(kind, service, limits=FEW).score(samples, dataset="shop")
    assert list(scores["loss"]) == list(range(10))
    assert scores["id"] == [f"s{n}" for n in range(10)]
    assert [row["id"] for row in scores] == scores["id"]
    assert len(scores) == 10
    assert sorted(r.rows for r in scores.requests) == [(0, 4, 8), (1, 5, 9), (2, 6), (3, 7)]
    assert [len(body["samples"]) for body in service.bodies] == [3, 3, 2, 2]
    assert all(body["dataset"] == "shop" for body in service.bodies)
    assert all(body["weighting"] is None for body in service.bodies)


@both
def test_options_become_fields_and_what_is_not_given_is_left_out(kind: str) -> None:
    service = FakeService(scored)
    connect(kind, service).score(
        numbered(1),
        signals=["loss", "rho"],
        loss="bce",
        model="m",
        direction="v",
        trajectory=[{"model": "m", "direction": "v", "learning_rate": 0.1}],
        reference_model="r",
        precision="int8",
        exact_fraction=0.5,
        seed=3,
        weighting={"scheme": "unit_gradient", "lambda": 2},
    )
    connect(kind, service).score(numbered(1))
    samples = numbered(1)
    assert service.bodies == [
        {
            "signals": ["loss", "rho"],
            "reference": {"model": "r"},
            "trajectory": [{"model": "m", "direction": "v", "learning_rate": 0.1}],
            "loss": "bce",
            "model": "m",
            "direction": "v",
            "precision": "int8",
            "exact_fraction": 0.5,
            "seed": 3,
            "weighting": {"scheme": "unit_gradient", "lambda": 2},
            "samples": samples,
        },
        {"weighting": None, "samples": samples},
    ]


def test_as_many_requests_are_in_flight_as_the_limits_say() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def watched(request: httpx2.Request) -> httpx2.Response:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with lock:
            at_once -= 1
        return scored(request)

    connect("sync", FakeService(watched), limits=Limits(samples=1, in_flight=3)).score(numbered(9))
    assert most == 3


@both
def test_requests_are_cut_by_tokens(kind: str) -> None:
    service = FakeService(scored)
    samples = [s | {"document": "word " * 80} for s in numbered(10)]
    connect(kind, service, limits=Limits(tokens=320)).score(samples)
    assert [len(body["samples"]) for body in service.bodies] == [3, 3, 3, 1]


@both
def test_a_weighting_needs_one_request_and_takes_it_however_many_tokens(kind: str) -> None:
    service = FakeService(scored)
    client = connect(kind, service, limits=Limits(samples=5, tokens=1))
    client.score(numbered(5), weighting={"scheme": "rank"})
    assert len(service.requests) == 1
    with pytest.raises(
        AssayError, match=r"6 samples need several: .* call weigh\(dataset\)"
    ) as error:
        client.score(numbered(6), weighting={"scheme": "rank"})
    assert error.value.code == "not_one_batch"
    assert len(service.requests) == 1


def refused(path: str, message: str) -> Any:
    """Refuses the request that holds s7."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        places = [s["id"] for s in json.loads(request.content)["samples"]]
        if "s7" not in places:
            return scored(request)
        here = path.replace("N", str(places.index("s7")))
        text = message.replace("N", str(places.index("s7")))
        faults = [{"path": here, "message": text}]
        return problem(422, "unsuitable_label", f"{here} {text}", faults=faults)

    return answer


@both
@pytest.mark.parametrize(
    ("path", "message", "expected", "field"),
    [
        ("/samples/N/label", "is 7", "row 7, relevant: is 7", "relevant"),
        ("/samples/N/extras/price", "is odd", "row 7, price: is odd", "price"),
        ("/samples/N/extras/rank%", "is odd", "row 7, extras/rank%: is odd", "extras/rank%"),
        ("/samples/N", "needs a text", "row 7 needs a text", None),
        ("/samples/N/id", "is that of /samples/N", "row 7, sid: is that of row 7", "sid"),
        ("/weighting", "is unknown", "/weighting is unknown", None),
    ],
)
def test_a_fault_names_the_callers_row_and_column(
    kind: str, path: str, message: str, expected: str, field: str | None
) -> None:
    frame = pd.DataFrame(numbered(10)).rename(columns={"id": "sid", "label": "relevant"})
    frame["price"] = 1.5
    client = connect(kind, FakeService(refused(path, message)), limits=FEW)
    with pytest.raises(AssayError) as error:
        client.score(frame, id="sid", label="relevant", extras=["price"])
    assert error.value.detail == expected
    [fault] = error.value.faults
    assert fault.row == (None if path == "/weighting" else 7)
    assert fault.field == field
    assert fault.path == path.replace("N", "7")


@both
def test_after_a_fault_nothing_more_is_sent(kind: str) -> None:
    service = FakeService(refused("/samples/N/label", "is 7"))
    with pytest.raises(AssayError):
        connect(kind, service, limits=Limits(samples=8, in_flight=1)).score(numbered(80))
    assert len(service.requests) <= 2


@both
def test_progress_is_told_to_a_function_or_to_stderr(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int]] = []
    client = connect(kind, FakeService(scored), limits=FEW)
    client.score(numbered(7), progress=lambda done, total: told.append((done, total)))
    assert sorted(told)[-1] == (7, 7)
    assert len(told) == 3
    client.score(numbered(7), progress=True)
    assert capsys.readouterr().err.endswith("scored 7 of 7 samples\n")


@both
def test_scores_say_who_scored_and_what_to_read(kind: str) -> None:
    def of_two_versions(request: httpx2.Request) -> httpx2.Response:
        answer = scored(request).json()
        if b'"s0"' not in request.content:
            answer["model"]["version"] = "v2"
        return httpx2.Response(200, json=answer)

    scores = connect(kind, FakeService(of_two_versions), limits=FEW).score(numbered(7))
    assert [model.version for model in scores.models] == ["v1", "v2"]
    assert scores.advice == ["look"]
    assert scores.cache_hits == 3
    assert scores.loss_name == "bce"
    assert re.match(
        r"<Scores of 7 samples by default@v1, default@v2: id, logit, loss", repr(scores)
    )


@both
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx2.Response(200, text="<html>a proxy's page</html>"),
        lambda _: httpx2.Response(404, text="<html>a proxy's page</html>"),
        lambda _: httpx2.Response(404, json={"error": "no"}),
    ],
)
def test_an_answer_that_is_not_the_services_says_so(kind: str, answer: Answer) -> None:
    with pytest.raises(AssayError, match="Is the URL that of an Assay service") as error:
        connect(kind, FakeService(answer)).score(numbered(1))
    assert error.value.code == "unexpected_answer"


@both
def test_a_stream_that_ends_in_a_problem_is_an_error_and_may_be_tried_again(kind: str) -> None:
    lines = {"content-type": "application/x-ndjson"}
    lost = problem(503, "accumulation_lost", "line 2/label was lost").content

    def stream(*parts: bytes) -> httpx2.Response:
        return httpx2.Response(200, headers=lines, content=b"\n".join(parts) + b"\n")

    retry = Retry(first_s=0.001, total_s=0.1)
    service = FakeService(lambda _: stream(b'{"samples":1}', lost))
    with pytest.raises(AssayError, match=r"accumulation_lost \(503\): row 1, label was lost"):
        connect(kind, service, retry=retry).make_direction("v", numbered(2), kind="loss_gradient")
    assert len(service.requests) > 1
    assert service.requests[0].content.count(b"\n") == 1
    assert dict(service.requests[0].url.params) == {"kind": "loss_gradient"}
    with pytest.raises(AssayError, match="unexpected_answer"):
        connect(kind, FakeService(lambda _: stream(b""))).make_direction(
            "v", numbered(2), kind="loss_gradient"
        )
