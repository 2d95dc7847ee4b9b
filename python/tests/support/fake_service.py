"""A service in this process that answers as it is told, and the two clients in front of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import httpx2

from assay import AsyncClient, Client

Answer = Callable[[httpx2.Request], httpx2.Response]
URL = "http://assay.test:8080"


class FakeService:
    """Keeps the requests that came. `answers` come first, one a request, then `answer`'s."""

    def __init__(self, answer: Answer, answers: Sequence[httpx2.Response | Exception] = ()) -> None:
        self.requests: list[httpx2.Request] = []
        self._answer = answer
        self._answers = list(answers)
        self._lock = threading.Lock()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        with self._lock:
            self.requests.append(request)
            first = self._answers.pop(0) if self._answers else None
        if isinstance(first, Exception):
            raise first
        return first if first is not None else self._answer(request)

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self)

    @property
    def bodies(self) -> list[Any]:
        """The JSON bodies that came."""
        return [json.loads(request.content) for request in self.requests]

    def bodies_of(self, method: str) -> list[Any]:
        """Those of one method."""
        return [json.loads(r.content) for r in self.requests if r.method == method]


class Blocking:
    """An AsyncClient whose methods are run to their end, so that one test tries both clients."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if inspect.isasyncgenfunction(method):
            return lambda *args, **options: self._iterate(method(*args, **options))
        return lambda *args, **options: self._loop.run_until_complete(method(*args, **options))

    def _iterate(self, found: AsyncIterator[Any]) -> Iterator[Any]:
        nothing = object()
        while (one := self._loop.run_until_complete(anext(found, nothing))) is not nothing:
            yield one


def connect(kind: str, service: FakeService, **options: Any) -> Any:
    """A client of a fake service; `kind` is `sync` or `async`."""
    if kind == "sync":
        return Client(URL, transport=service.transport, **options)
    return Blocking(AsyncClient(URL, transport=service.transport, **options))


def scored(request: httpx2.Request) -> httpx2.Response:
    """Scores a request: the loss of a sample is the number in its query."""
    body = json.loads(request.content)
    results = [
        {
            "id": sample.get("id"),
            "logit": 0.5,
            "loss": float(sample["query"]),
            "weight": None,
            "cached": False,
            "truncated": False,
        }
        for sample in body["samples"]
    ]
    figures = ("effective_sample_size", "max_weight", "pareto_k", "pareto_k_threshold", "tau")
    diagnostics = dict.fromkeys(figures) | {"advice": ["look"], "cache_hits": 1}
    answer = {
        "model": {"name": "default", "version": "v1"},
        "loss": "bce",
        "results": results,
        "diagnostics": diagnostics,
    }
    return httpx2.Response(200, json=answer)


FIGURES = ("effective_sample_size", "max_weight", "pareto_k", "pareto_k_threshold", "tau")
WEIGHED = {
    "snapshot": {
        "version": 1,
        "as_of": "2026-11-30T16:11:59.489Z",
        "samples": 1,
        "weight_sum": 1,
        "provenance": {},
    },
    "diagnostics": dict.fromkeys(FIGURES) | {"advice": []},
}
SELECTED = {
    "dataset": "shop",
    "method": "poisson",
    "signal": None,
    "seed": 0,
    "snapshot": None,
    "models": ["default@v1"],
    "losses": ["bce"],
    "selected_at": "2026-11-30T16:11:59.489Z",
    "samples_in_dataset": 4,
    "candidates": 4,
    "without_score": 0,
    "hashed_ids": False,
    "embedding": None,
    "without_embedding": None,
    "selected": 2,
    "divisor": 2,
    "never_drawn": 0,
    "strata": None,
    "advice": ["look"],
    "samples": [
        {"id": "a", "count": 1, "probability": 0.5, "multiplier": 1},
        {"id": "b", "count": 2, "probability": 1, "multiplier": 0.5},
    ],
}


def lines(selection: dict[str, Any]) -> httpx2.Response:
    """A selection in JSON lines: its facts, then its samples."""
    facts = {name: value for name, value in selection.items() if name != "samples"}
    content = "".join(json.dumps(each) + "\n" for each in [facts, *selection["samples"]])
    headers = {"content-type": "application/x-ndjson"}
    return httpx2.Response(200, headers=headers, content=content.encode())


class FakeJobs:
    """Runs one job: each of `states` is answered once, and the last of them from then on.

    `selected` is what a selection has other than SELECTED.
    """

    def __init__(
        self, kind: str, states: Sequence[dict[str, Any]], selected: dict[str, Any] | None = None
    ) -> None:
        self.cancelled = 0
        self._selected = SELECTED | (selected or {})
        self._kind = kind
        self._states = list(states)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            asynchronous = request.headers.get("prefer") == "respond-async"
            if asynchronous:
                return httpx2.Response(202, json=self.job({"state": "queued"}))
            return (
                lines(self._selected)
                if self._kind == "select"
                else httpx2.Response(200, json=WEIGHED)
            )
        if request.method == "DELETE":
            self.cancelled += 1
            return httpx2.Response(200, json=self.job({"state": "cancelled"}))
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if state.get("state") == "gone":
            return problem(404, "job_not_found")
        in_lines = request.headers.get("accept", "").startswith("application/x-ndjson")
        if in_lines and state.get("state") == "done" and self._kind == "select":
            return lines(self._selected)
        return httpx2.Response(200, json=self.job(state))

    def job(self, state: dict[str, Any]) -> dict[str, Any]:
        """The job in a state."""
        job = {
            "id": "j1",
            "kind": self._kind,
            "dataset": "shop",
            "state": "running",
            "progress": 0,
            "created_at": "2026-11-30T16:11:59.489Z",
            "started_at": None,
            "ended_at": None,
            "result": None,
            "problem": None,
        }
        return {**job, **state}


def problem(status: int, code: str, detail: str = "no", **fields: Any) -> httpx2.Response:
    """A problem of the service; `retry_after` goes into its header."""
    retry_after = fields.pop("retry_after", None)
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    body = {
        "type": f"urn:assay:problem:{code}",
        "title": code,
        "status": status,
        "code": code,
        "detail": detail,
        **fields,
    }
    return httpx2.Response(status, headers=headers, json=body)


def numbered(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Samples whose queries are their numbers."""
    return [
        {"id": f"s{n}", "query": str(n), "document": "d", "label": 1} | fields for n in range(count)
    ]


def observed(request: httpx2.Request) -> httpx2.Response:
    """Takes the outputs of a trainer."""
    body = json.loads(request.content)
    answer = {
        "dataset": "shop",
        "model": body.get("model", "observed"),
        "checkpoint": body["checkpoint"],
        "samples": len(body["samples"]),
        "late": 1,
    }
    return httpx2.Response(200, json=answer)
