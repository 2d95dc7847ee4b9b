"""A client of the compiled service, with the shipped model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from assay import Client
from service import ROOT, Service, Start


@pytest.fixture(scope="session")
def service(start_service: Start, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The compiled service, in a process of its own. The model `pushed` is there to be replaced."""
    models = tmp_path_factory.mktemp("models")
    for name in ("default", "pushed"):
        shutil.copytree(ROOT / "models" / "default", models / name)
    return start_service(models / "default")


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
