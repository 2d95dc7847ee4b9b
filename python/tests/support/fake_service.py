"""A service in this process that answers as it is told, and the two clients in front of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
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


class Blocking:
    """An AsyncClient whose methods are run to their end, so that one test tries both clients."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda *args, **options: self._loop.run_until_complete(method(*args, **options))


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
