"""The driver of plans for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx2

from assay.client.call import Call, Plan
from assay.client.sending import Sending, Service

T = TypeVar("T")


class AsyncDriver:
    """Runs plans in the running event loop."""

    def __init__(
        self, service: Service, in_flight: int, transport: httpx2.AsyncBaseTransport | None
    ) -> None:
        self._service = service
        self._in_flight = in_flight
        self._http = httpx2.AsyncClient(
            headers=service.headers, timeout=service.timeout, transport=transport
        )

    async def run(self, plan: Plan[T]) -> T:
        """What the plan returns; raises AssayError as its calls do."""
        step: Callable[[], Sequence[Call]] = partial(next, plan)
        while True:
            try:
                calls = step()
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                step = partial(plan.send, await self._all(calls))
            except BaseException as error:  # a cancellation too: the plan passes it on
                step = partial(plan.throw, error)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _all(self, calls: Sequence[Call]) -> list[Any]:
        answers: list[Any] = [None] * len(calls)
        waiting = iter(enumerate(calls))

        async def work() -> None:
            for place, call in waiting:
                answers[place] = await self._send(call)
                if call.done is not None:
                    call.done()

        workers = [asyncio.create_task(work()) for _ in range(min(self._in_flight, len(calls)))]
        try:
            await asyncio.gather(*workers)
        finally:  # after an error, or a cancellation, nothing more is sent
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return answers

    async def _send(self, call: Call) -> Any:
        sending = Sending(self._service, call)
        await asyncio.sleep(call.after_s)
        while True:
            outcome: httpx2.Response | httpx2.TransportError
            try:
                outcome = await self._answered(sending)
            except httpx2.TransportError as error:
                outcome = error
            delay = sending.delay_after(outcome)
            if delay is None:
                return sending.value
            await asyncio.sleep(delay)

    async def _answered(self, sending: Sending) -> httpx2.Response:
        async with self._http.stream(**sending.request()) as response:
            sink = sending.sink_of(response)
            if sink is None:
                await response.aread()
            else:
                async for part in response.aiter_bytes():
                    sink.write(part)
            return response
