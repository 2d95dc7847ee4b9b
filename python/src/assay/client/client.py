"""The client that blocks."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx2

from assay.client.blocking.datasets import DatasetMethods
from assay.client.blocking.directions import DirectionMethods
from assay.client.blocking.estimates import EstimateMethods
from assay.client.blocking.models import ModelMethods
from assay.client.blocking.noise import NoiseMethods
from assay.client.blocking.scoring import ScoringMethods
from assay.client.blocking.selection import SelectionMethods
from assay.client.blocking.weights import WeightMethods
from assay.client.retry import Retry
from assay.client.sending import DEFAULT_URL, TIMEOUT_S, Limits, Service
from assay.client.sync_driver import SyncDriver


class Client(
    ScoringMethods,
    WeightMethods,
    SelectionMethods,
    EstimateMethods,
    NoiseMethods,
    DatasetMethods,
    DirectionMethods,
    ModelMethods,
):
    """A client of an Assay service. Its methods are in `blocking`, by kind of resource.

    `key` is a bearer key; without one, ASSAY_API_KEY of the environment is taken, if it is set.
    `timeout` is how many seconds one request may take, and `transport` is in the place of the
    network, in tests. A client may be used from several threads,
    but not by a process that was forked from its own: make one in each process. Close it, or use it
    in a `with`.

    Every method raises AssayError: its `code` says what was wrong, and its `faults` where.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retry: Retry | None = None,
        limits: Limits | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._limits = limits or Limits()
        service = Service(url, key, timeout, retry or Retry())
        self._driver = SyncDriver(service, self._limits.in_flight, transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; the client cannot be used any more."""
        self._driver.close()
