"""The client for asyncio: `Client` with methods that are awaited."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx2

from assay.client.async_driver import AsyncDriver
from assay.client.awaited.datasets import DatasetMethods
from assay.client.awaited.directions import DirectionMethods
from assay.client.awaited.estimates import EstimateMethods
from assay.client.awaited.models import ModelMethods
from assay.client.awaited.noise import NoiseMethods
from assay.client.awaited.scoring import ScoringMethods
from assay.client.awaited.selection import SelectionMethods
from assay.client.awaited.weights import WeightMethods
from assay.client.retry import Retry
from assay.client.sending import DEFAULT_URL, TIMEOUT_S, Limits, Service


class AsyncClient(
    ScoringMethods,
    WeightMethods,
    SelectionMethods,
    EstimateMethods,
    NoiseMethods,
    DatasetMethods,
    DirectionMethods,
    ModelMethods,
):
    """A client of an Assay service for asyncio.

    Its methods are those of `Client`, awaited; they are in `awaited`. Close it, or use it in an
    `async with`.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        retry: Retry | None = None,
        limits: Limits | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._limits = limits or Limits()
        service = Service(url, key, timeout, retry or Retry())
        self._driver = AsyncDriver(service, self._limits.in_flight, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """As `Client.close`."""
        await self._driver.close()
