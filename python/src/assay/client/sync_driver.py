"""The driver of plans that blocks: threads for the calls of a plan, and no event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any, TypeVar

import httpx2

from assay.client.call import Call, Plan
from assay.client.sending import Sending, Service

T = TypeVar("T")


class SyncDriver:
    """Runs plans. It may be used from several threads, and inside a running event loop."""

    def __init__(
        self, service: Service, in_flight: int, transport: httpx2.BaseTransport | None
    ) -> None:
        self._service = service
        self._in_flight = in_flight
        self._http = httpx2.Client(
            headers=service.headers, timeout=service.timeout, transport=transport
        )

    def run(self, plan: Plan[T]) -> T:
        """What the plan returns; raises AssayError as its calls do."""
        step: Callable[[], Sequence[Call]] = partial(next, plan)
        while True:
            try:
                calls = step()
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                step = partial(plan.send, self._all(calls))
            except BaseException as error:  # an interrupt too: the plan passes it on
                step = partial(plan.throw, error)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _all(self, calls: Sequence[Call]) -> list[Any]:
        stop = threading.Event()
        if len(calls) == 1:
            return [_done(calls[0], self._send(calls[0], stop))]
        answers: list[Any] = [None] * len(calls)
        pool = ThreadPoolExecutor(self._in_flight, thread_name_prefix="assay")
        try:
            places = {pool.submit(self._send, call, stop): n for n, call in enumerate(calls)}
            for future in as_completed(places):
                place = places[future]
                answers[place] = _done(calls[place], future.result())
        finally:  # after an error, or an interrupt, nothing more is sent
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        return answers

    def _send(self, call: Call, stop: threading.Event) -> Any:
        sending = Sending(self._service, call)
        stop.wait(call.after_s)
        while not stop.is_set():
            outcome: httpx2.Response | httpx2.TransportError
            try:
                outcome = self._answered(sending)
            except httpx2.TransportError as error:
                outcome = error
            delay = sending.delay_after(outcome)
            if delay is None:
                break
            stop.wait(delay)
        return sending.value

    def _answered(self, sending: Sending) -> httpx2.Response:
        with self._http.stream(**sending.request()) as response:
            sink = sending.sink_of(response)
            if sink is None:
                response.read()
            else:
                for part in response.iter_bytes():
                    sink.write(part)
            return response


def _done(call: Call, answer: Any) -> Any:
    if call.done is not None:
        call.done()
    return answer
