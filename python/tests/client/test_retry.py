"""What is sent again, when, and how often."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from assay import AssayError, Client
from assay.client import Limits, Retry
from assay.client.retry import Attempts, seconds_of
from fake_service import FakeService, connect, numbered, problem, scored

KINDS = ["sync", "async"]
QUICK = Retry(first_s=0.001, longest_s=0.002, total_s=1)
both = pytest.mark.parametrize("kind", KINDS)


def delays(retry: Retry, draw: float, retry_after: str | None = None) -> list[float]:
    attempts = Attempts(retry, draw=lambda: draw)
    found = []
    while (delay := attempts.delay_s(retry_after)) is not None:
        found.append(delay)
    return found


def test_delays_double_up_to_the_longest_until_the_total() -> None:
    retry = Retry(first_s=1, longest_s=4, total_s=14)
    assert delays(retry, draw=1) == [1, 2, 4, 4]
    assert delays(retry, draw=0) == [0.5, 1, 2, 2, 2, 2, 2, 2]


def test_what_the_service_asks_comes_before_the_own_delay() -> None:
    assert delays(Retry(first_s=1, longest_s=4, total_s=20), 1, "5") == [6, 7]
    assert delays(Retry(total_s=4), 0, "5") == []
    assert delays(Retry(total_s=0), 0) == []


def test_retry_after_is_a_number_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of(None) == 0
    assert seconds_of("soon") == 0
    later = email.utils.formatdate(time.time() + 60, usegmt=True)
    assert 58 < seconds_of(later) <= 60
    assert seconds_of(email.utils.formatdate(time.time() - 60, usegmt=True)) == 0


BROKEN: list[Callable[[], httpx2.Response | Exception]] = [
    lambda: problem(429, "overloaded"),
    lambda: problem(503, "store_unavailable"),
    lambda: problem(503, "model_not_ready"),
    lambda: httpx2.Response(503, text="<html>no server is available</html>"),
    lambda: httpx2.Response(502, text="bad gateway"),
    lambda: httpx2.RemoteProtocolError("Server disconnected"),
    lambda: httpx2.ReadError("Connection reset by peer"),
    lambda: httpx2.WriteError("Broken pipe"),
]


@both
@pytest.mark.parametrize("broken", BROKEN)
def test_a_call_that_may_succeed_later_is_sent_again(
    kind: str, broken: Callable[[], httpx2.Response | Exception]
) -> None:
    service = FakeService(scored, [broken(), broken()])
    scores = connect(kind, service, retry=QUICK).score(numbered(2))
    assert list(scores["loss"]) == [0, 1]
    assert len(service.requests) == 3
    assert service.bodies[0] == service.bodies[2]


@both
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (422, "unsuitable_label"),
        (404, "model_not_found"),
        (401, "unauthorised"),
        (500, "internal"),
        (504, "deadline_exceeded"),
        (503, "memory_insufficient"),
        (503, "model_invalid"),
    ],
)
def test_a_call_that_will_not_succeed_is_sent_once(kind: str, status: int, code: str) -> None:
    service = FakeService(lambda _: problem(status, code, "it is so"))
    with pytest.raises(AssayError) as error:
        connect(kind, service, retry=QUICK).score(numbered(1))
    assert (error.value.code, error.value.status) == (code, status)
    assert str(error.value) == f"{code} ({status}): it is so"
    assert len(service.requests) == 1


@both
def test_a_service_that_stays_overloaded_is_given_up_with_its_reason(kind: str) -> None:
    service = FakeService(lambda _: problem(429, "overloaded", "131072 tokens wait"))
    with pytest.raises(AssayError, match="131072 tokens wait") as error:
        connect(kind, service, retry=Retry(0.01, 0.01, 0.05)).score(numbered(1))
    assert error.value.status == 429
    assert 5 <= len(service.requests) <= 11


@both
def test_a_service_that_asks_for_more_patience_than_there_is_gets_no_second_try(kind: str) -> None:
    service = FakeService(lambda _: problem(429, "overloaded", retry_after=3600))
    started = time.monotonic()
    with pytest.raises(AssayError):
        connect(kind, service).score(numbered(1))
    assert len(service.requests) == 1
    assert time.monotonic() - started < 5


@both
def test_the_client_waits_as_long_as_it_is_asked(kind: str) -> None:
    service = FakeService(scored, [problem(429, "overloaded", retry_after=1)])
    started = time.monotonic()
    connect(kind, service).score(numbered(1))
    assert time.monotonic() - started >= 1


@both
def test_a_url_that_never_answered_is_tried_once(kind: str) -> None:
    service = FakeService(scored, [httpx2.ConnectError("Connection refused")] * 9)
    with pytest.raises(AssayError) as error:
        connect(kind, service, retry=QUICK).score(numbered(1))
    assert error.value.code == "unreachable"
    assert error.value.status is None
    assert "http://assay.test:8080 does not answer (Connection refused; 1 try)" in str(error.value)
    assert "start the service (npm start), or check the URL" in str(error.value)
    assert len(service.requests) == 1


@both
def test_a_service_that_restarts_is_waited_for(kind: str) -> None:
    restart = httpx2.ConnectError("Connection refused")
    service = FakeService(scored, [scored_once(), restart, restart])
    client = connect(kind, service, retry=QUICK)
    client.score(numbered(1))
    client.score(numbered(1))
    assert len(service.requests) == 4


def scored_once() -> httpx2.Response:
    return scored(httpx2.Request("POST", "http://x", json={"samples": numbered(1)}))


@both
def test_a_slow_answer_is_not_asked_for_again(kind: str) -> None:
    service = FakeService(scored, [httpx2.ReadTimeout("timed out")])
    with pytest.raises(AssayError, match="did not answer POST /v1/score within 7 s") as error:
        connect(kind, service, retry=QUICK, timeout=7).score(numbered(1))
    assert error.value.code == "timed_out"
    assert len(service.requests) == 1


@both
def test_what_a_broken_try_has_deleted_counts_as_deleted(kind: str) -> None:
    gone = problem(404, "dataset_not_found")
    service = FakeService(lambda _: gone, [httpx2.ReadError("reset")])
    client = connect(kind, service, retry=QUICK)
    client.delete_dataset("shop")
    with pytest.raises(AssayError, match="dataset_not_found"):
        client.delete_dataset("shop")


class Breaking(BaseHTTPRequestHandler):
    """Closes the connection of every request but each third without an answer."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        Breaking.count += 1
        if Breaking.count % 3:
            self.close_connection = True
            return
        request = httpx2.Request("POST", "http://assay.test", content=content)
        answer = scored(request).content
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


def test_connections_that_break_are_made_again() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with Client(url, retry=QUICK, limits=Limits(samples=1, in_flight=1)) as client:
            assert list(client.score(numbered(4))["loss"]) == [0, 1, 2, 3]
        assert Breaking.count == 12
        server.shutdown()
    with Client(url) as client, pytest.raises(AssayError, match=f"{url} does not answer"):
        client.score(numbered(1))
