"""Weighings and selections run as jobs: their progress is told, and an interrupt ends them."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Any

import httpx2
import numpy as np
import pytest

from assay import AssayError, AsyncClient, Client
from assay.client import Retry
from assay.client.answers.dataset import Snapshot
from assay.client.answers.selection import Selection, SelectionFacts
from assay.client.operations.long_work import FIRST_S, GROWTH
from fake_service import (
    SELECTED,
    URL,
    WEIGHED,
    FakeJobs,
    FakeService,
    connect,
    observed,
    problem,
)

both = pytest.mark.parametrize("kind", ["sync", "async"])
RUNNING = {"progress": 0.25}
DONE = {"state": "done", "progress": 1}


@both
def test_a_weighing_tells_how_far_it_is(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, int]] = []
    jobs = FakeJobs("weigh", [RUNNING, {"progress": 0.5}, DONE | {"result": WEIGHED}])
    service = FakeService(jobs)
    client = connect(kind, service)
    snapshot = client.weigh("shop", progress=lambda done, total: told.append((done, total)))
    assert (snapshot.version, snapshot.diagnostics.advice) == (1, [])
    assert told == [(0, 100), (25, 100), (50, 100), (100, 100)]
    assert service.requests[0].headers["prefer"] == "respond-async"
    assert [r.url.path for r in service.requests[1:]] == ["/v1/jobs/j1"] * 3
    client.weigh("shop", progress=True)
    assert capsys.readouterr().err.endswith("weighing shop: 100%\n")


@both
def test_questions_about_a_job_come_at_growing_intervals(kind: str) -> None:
    states: list[dict[str, Any]] = [RUNNING, RUNNING, RUNNING, DONE | {"result": WEIGHED}]
    client = connect(kind, FakeService(FakeJobs("weigh", states)))
    started = time.monotonic()
    client.weigh("shop")
    assert time.monotonic() - started >= FIRST_S * (1 + GROWTH + GROWTH**2 + GROWTH**3)


@both
def test_a_weighing_that_is_sent_again_has_the_same_key(kind: str) -> None:
    jobs = FakeJobs("weigh", [DONE | {"result": WEIGHED}])
    service = FakeService(jobs, [httpx2.ReadError("reset")])
    client = connect(kind, service, retry=Retry(first_s=0.001))
    client.weigh("shop", base="impressions", balance=True, lambda_=2)
    client.weigh("shop")
    posts = [request for request in service.requests if request.method == "POST"]
    keys = [request.headers["idempotency-key"] for request in posts]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]
    sent = {"weighting": {"base": "impressions", "balance": True, "lambda": 2}}
    assert service.bodies_of("POST")[0] == sent


@both
def test_a_selection_has_its_samples_in_columns(kind: str) -> None:
    service = FakeService(FakeJobs("select", [RUNNING, DONE]))
    found = connect(kind, service).select("my shop", "poisson", share=0.5)
    assert found.ids == ["a", "b"]
    assert isinstance(found.probabilities, np.ndarray)
    assert (found.probabilities.tolist(), found.multipliers.tolist()) == ([0.5, 1], [1, 0.5])
    assert np.repeat(found.ids, found.counts).tolist() == ["a", "b", "b"]
    assert (len(found), found.divisor, found.advice) == (2, 2, ["look"])
    assert repr(found) == "<Selection of 2 of 4 samples of shop by poisson>"
    assert service.bodies_of("POST") == [{"method": "poisson", "share": 0.5}]
    assert service.requests[0].url.raw_path == b"/v1/datasets/my%20shop/select"


@both
@pytest.mark.parametrize(("divisor", "expected"), [(2, []), (None, None)])
def test_a_selection_without_samples_has_the_columns_of_its_method(
    kind: str, divisor: int | None, expected: list[float] | None
) -> None:
    empty: dict[str, Any] = {"samples": [], "divisor": divisor, "selected": 0}
    found = connect(kind, FakeService(FakeJobs("select", [DONE], empty))).select("shop", "top")
    columns = [None if c is None else c.tolist() for c in (found.probabilities, found.multipliers)]
    assert columns == [expected] * 2
    assert (found.ids, found.counts.tolist()) == ([], [])


@both
def test_the_options_of_a_selection_become_its_fields(kind: str) -> None:
    service = FakeService(FakeJobs("select", [DONE]))
    connect(kind, service).select(
        "shop",
        "infobatch",
        size=3,
        signal="loss",
        stratify_by="label",
        quotas={"0": 1},
        label=1,
        source="crawl",
        ranges={"loss": (0.5, None), "weight": (None, np.float32(2))},
        exclude=np.array([7, 8]),
        seed="s",
        prune=0.25,
        epoch=1,
        epochs=9,
        strength=1,
        outliers=0.1,
        diverse=False,
    )
    ranges = [{"column": "loss", "min": 0.5}, {"column": "weight", "max": 2}]
    assert service.bodies_of("POST") == [
        {
            "method": "infobatch",
            "size": 3,
            "signal": "loss",
            "stratify_by": "label",
            "quotas": {"0": 1},
            "filter": {"label": 1, "source": "crawl", "ranges": ranges},
            "exclude": ["7", "8"],
            "seed": "s",
            "prune": 0.25,
            "epoch": 1,
            "epochs": 9,
            "strength": 1,
            "outliers": 0.1,
            "diverse": False,
        }
    ]


@both
def test_work_that_failed_or_was_cancelled_is_an_error(kind: str) -> None:
    why = problem(422, "unsuitable_signal", "it is so").json()
    failed = FakeService(FakeJobs("select", [{"state": "failed", "problem": why}]))
    with pytest.raises(AssayError, match=r"unsuitable_signal \(422\): it is so"):
        connect(kind, failed).select("shop", "top", size=1)
    cancelled = FakeService(FakeJobs("weigh", [{"state": "cancelled"}]))
    with pytest.raises(AssayError, match="the job was cancelled") as error:
        connect(kind, cancelled).weigh("shop")
    assert error.value.code == "cancelled"


@both
@pytest.mark.parametrize("work", ["weigh", "select"])
def test_where_another_replica_has_the_job_the_work_is_asked_for_without_one(
    kind: str, work: str
) -> None:
    service = FakeService(FakeJobs(work, [RUNNING, {"state": "gone"}]))
    client = connect(kind, service)
    found = client.weigh("shop") if work == "weigh" else client.select("shop", "poisson", size=2)
    assert found.advice == ["look"] if work == "select" else found.version == 1
    first, last = (r for r in service.requests if r.method == "POST")
    assert "prefer" not in last.headers
    assert first.headers.get("idempotency-key") == last.headers.get("idempotency-key")
    assert first.content == last.content


def test_an_interrupt_cancels_the_job() -> None:
    jobs = FakeJobs("weigh", [RUNNING])

    def interrupted(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            raise KeyboardInterrupt
        return jobs(request)

    with pytest.raises(KeyboardInterrupt):
        connect("sync", FakeService(interrupted)).weigh("shop")
    assert jobs.cancelled == 1


def test_a_cancellation_cancels_the_job() -> None:
    jobs = FakeJobs("select", [RUNNING])

    async def cell() -> None:
        async with AsyncClient(URL, transport=FakeService(jobs).transport) as client:
            await asyncio.wait_for(client.select("shop", "top", size=1), 0.1)

    with pytest.raises(TimeoutError):
        asyncio.run(cell())
    assert jobs.cancelled == 1


def test_a_job_that_cannot_be_cancelled_is_named_and_asked_once() -> None:
    jobs = FakeJobs("weigh", [RUNNING])

    def interrupted(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            raise KeyboardInterrupt
        return problem(503, "shutting_down") if request.method == "DELETE" else jobs(request)

    service = FakeService(interrupted)
    with pytest.raises(KeyboardInterrupt) as error:
        connect("sync", service).weigh("shop")
    assert "weighing shop goes on as a job: shutting_down" in error.value.__notes__[0]
    assert len(service.requests) == 3


def test_a_blocking_client_waits_for_jobs_inside_a_running_event_loop() -> None:
    async def cell() -> tuple[int, int, int]:
        selecting = FakeService(FakeJobs("select", [RUNNING, DONE]))
        selected = Client(URL, transport=selecting.transport).select("shop", "poisson", size=2)
        writing = Client(URL, transport=FakeService(observed).transport)
        written = writing.observe("shop", ["a"], [0.5], [1], checkpoint=("last", 1))
        file = io.BytesIO()
        answer = httpx2.MockTransport(lambda _: httpx2.Response(200, content=b"abc"))
        return len(selected), written.samples, Client(URL, transport=answer).export("s", file).bytes

    assert asyncio.run(cell()) == (2, 1, 3)


@both
def test_jobs_are_read_listed_and_cancelled(kind: str) -> None:
    jobs = FakeJobs("select", [DONE | {"result": SELECTED}])
    client = connect(kind, FakeService(jobs))
    job = client.job("j1")
    assert (job.state, job.progress, job.kind) == ("done", 1, "select")
    assert isinstance(job.result, Selection)
    assert job.result.ids == ["a", "b"]
    assert client.cancel("j1").state == "cancelled"

    def listed(request: httpx2.Request) -> httpx2.Response:
        failed = {"state": "failed", "problem": problem(503, "store_unavailable", "down").json()}
        entries: list[dict[str, Any]] = [
            FakeJobs("weigh", []).job(DONE | {"result": WEIGHED}),
            FakeJobs("select", []).job(DONE | {"result": SELECTED | {"samples": None}}),
            FakeJobs("weigh", []).job(failed),
        ]
        return httpx2.Response(200, json={"jobs": entries})

    weighed, selected, broken = connect(kind, FakeService(listed)).jobs()
    assert isinstance(weighed.result, Snapshot)
    assert type(selected.result) is SelectionFacts
    assert str(broken.problem) == "store_unavailable (503): down"
