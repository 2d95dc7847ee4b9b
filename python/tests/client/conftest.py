"""A client of the compiled service, with the shipped model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from assay import Client
from service import ROOT, Service


@pytest.fixture(scope="session")
def service(shipped_service: Service) -> Service:
    """The compiled service, in a process of its own."""
    return shipped_service


@pytest.fixture(scope="session")
def client(service: Service) -> Iterator[Client]:
    """A client of it."""
    with Client(service.url) as client:
        yield client


@pytest.fixture(scope="session")
def pairs() -> list[dict[str, Any]]:
    """The project's fixture pairs: id, query, document, label, group."""
    lines = (ROOT / "test" / "fixtures" / "pairs.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]
