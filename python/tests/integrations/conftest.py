"""A service with a tiny model, and datasets that it has weighed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from assay import Client
from service import Service, Start


@pytest.fixture(scope="session")
def tiny_service(start_service: Start, with_gradients: Callable[[str, int], Path]) -> Service:
    """A service whose model, `tiny`, has the architecture of the tests' BERT."""
    return start_service(with_gradients("bert", 1))


@pytest.fixture
def tiny_client(tiny_service: Service) -> Iterator[Client]:
    """A client of it."""
    with Client(tiny_service.url) as client:
        yield client


@pytest.fixture
def weigh_rows(tiny_client: Client) -> Callable[[str, list[str]], int]:
    """Observes random logits of rows in a new dataset and weighs it; gives the snapshot."""

    def weigh(dataset: str, ids: list[str]) -> int:
        logits = np.random.default_rng(0).normal(0, 2, len(ids))
        labels = [float(row % 3 == 0) for row in range(len(ids))]
        tiny_client.observe(dataset, ids, logits, labels, checkpoint=("before", 0))
        return tiny_client.weigh(dataset, signal="loss", smoothing=0.2).version

    return weigh
