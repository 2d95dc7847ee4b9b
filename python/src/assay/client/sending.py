"""How one call goes over HTTP, and what its outcome means; both clients share it.

No code here sends or waits: a client does, in its own way.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from assay.client.call import Call, Reply, Sink
from assay.client.errors import AssayError
from assay.client.problems import settled
from assay.client.retry import Attempts, Retry, is_retried

CONNECT_S = 10.0
TIMEOUT_S = 120.0  # a full request on a busy CPU takes a minute
DEFAULT_URL = "http://127.0.0.1:8080"
KEY_VARIABLE = "ASSAY_API_KEY"


@dataclass(frozen=True)
class Limits:
    """How samples and ids are divided into requests, and how many requests are in flight at once.

    `samples`, `ids` and `body_bytes` are the service's own limits (ASSAY_SAMPLES_MAX,
    ASSAY_IDS_MAX, ASSAY_BODY_BYTES_MAX): set them where an operator has changed those. `tokens` is
    the estimated size of a request. Requests in flight should stay under ASSAY_QUEUE_TOKENS_MAX
    together.
    """

    samples: int = 2048
    ids: int = 10_000
    body_bytes: int = 16 * 2**20
    tokens: int = 16_384
    in_flight: int = 4


class Service:
    """Where a service listens, and how a client speaks to it.

    Raises:
        ValueError: the URL is none of http or https.
    """

    def __init__(self, url: str, key: str | None, timeout_s: float, retry: Retry) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is no URL of a service: write http://HOST:PORT")
        self.url = url.rstrip("/")
        self.retry = retry
        self.timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s), pool=None)
        self.headers = {"accept": "application/json, application/x-ndjson"}
        key = key if key is not None else os.environ.get(KEY_VARIABLE)
        if key:
            self.headers["authorization"] = f"Bearer {key}"
        # Set by the first answer. Before it a failed connection is a wrong URL, and no retry helps.
        self.reached = False


class Sending:
    """One call on its way: `request` what to send, then `delay_after` what came of it."""

    def __init__(self, service: Service, call: Call) -> None:
        self.value: Any = None
        self._service = service
        self._call = call
        self._attempts = Attempts(Retry(total_s=0) if call.once else service.retry)
        self._broke = False

    def request(self) -> dict[str, Any]:
        """The arguments of `request` of an httpx2 client."""
        call = self._call
        request: dict[str, Any] = {
            "headers": dict(call.headers),
            "method": call.method,
            "url": self._service.url + call.path,
            "params": dict(call.query) or None,
        }
        if call.content is not None:
            request["content"] = call.content()
            request["headers"]["content-type"] = call.media_type
        return request

    def sink_of(self, response: httpx2.Response) -> Sink | None:
        """Where the parts of a successful answer go, from now on; None: read it into memory."""
        sink = self._call.sink
        if sink is None or response.status_code >= 300:
            return None
        sink.begin()
        return sink

    def delay_after(self, outcome: httpx2.Response | httpx2.TransportError) -> float | None:
        """None where the call is done, with its answer in `value`; else seconds until the next try.

        Raises:
            AssayError: the call failed, and another try would not help or has come too late.
        """
        if isinstance(outcome, httpx2.TransportError):
            return self._delay_after_break(outcome)
        self._service.reached = True
        retry_after = outcome.headers.get("retry-after")
        if outcome.status_code == 404 and self._broke and self._call.method == "DELETE":
            return None  # an earlier try did it
        if self._call.sink is not None and outcome.status_code < 300:
            self.value = Reply(outcome.status_code, outcome.headers, b"")
            return None
        try:
            self.value = settled(
                self._call, Reply(outcome.status_code, outcome.headers, outcome.content)
            )
        except AssayError as error:
            status = error.status or 0
            delay = self._attempts.delay_s(retry_after) if is_retried(status, error.code) else None
            if delay is None:
                raise
            return delay
        return None

    def _delay_after_break(self, error: httpx2.TransportError) -> float:
        no_connection = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout))
        if isinstance(error, httpx2.TimeoutException) and not no_connection:
            raise AssayError("timed_out", self._timed_out()) from error
        self._broke = self._broke or not no_connection
        may_return = self._service.reached or not no_connection
        delay = self._attempts.delay_s() if may_return else None
        if delay is None:
            raise AssayError("unreachable", self._unreachable(error)) from error
        return delay

    def _timed_out(self) -> str:
        seconds = self._service.timeout.read
        return (
            f"{self._service.url} did not answer {self._call.method} {self._call.path} within "
            f"{seconds:g} s: raise the client's timeout, or make its requests smaller (limits)"
        )

    def _unreachable(self, error: httpx2.TransportError) -> str:
        reason = str(error) or type(error).__name__
        tries = self._attempts.failed + 1
        return (
            f"{self._service.url} does not answer ({reason}; {tries} "
            f"{'tries' if tries > 1 else 'try'}): start the service (npm start), or check the URL"
        )
