"""One request as data, and a plan of several: what is asked, apart from how it is sent.

A plan is a generator. It yields the calls that may be in flight at once, is sent their results in
the same order, and returns what its operation answers. An error of a call, or an interrupt, is
raised where the plan has yielded, and a plan may yield another call before it passes the error on.
`Client` and `AsyncClient` each run the same plans, so that neither has logic of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from assay.client.errors import Fault

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP, read whole. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sink(Protocol):
    """Where an answer goes that is too large for memory."""

    def begin(self) -> None:
        """Begins the answer, and again after each try that broke: forgets what has come.

        Raises:
            AssayError: what has come cannot be taken back.
        """

    def write(self, part: bytes) -> None:
        """Takes the next part of a successful answer."""


@dataclass(frozen=True)
class Call:
    """One request.

    `content` makes the body when it is sent, so that bodies do not wait in memory. `place` gives a
    fault of the body the caller's own row and column; it is None where the body holds no samples.
    `done` is called, never twice at once, after the call has succeeded. `read` makes the result of
    a successful answer that is not JSON. With a `sink` the answer goes there, and the result is a
    `Reply` without its body. The call is sent `after_s` seconds after it is yielded, and `once`
    says that it is never sent again.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Callable[[], bytes] | None = None
    media_type: str = "application/json"
    place: Callable[[Fault], Fault] | None = None
    done: Callable[[], None] | None = None
    read: Callable[[bytes], Any] | None = None
    sink: Sink | None = None
    after_s: float = 0.0
    once: bool = False


Plan = Generator[Sequence[Call], list[Any], T]
"""Yields calls; is sent their answers, parsed (JSON, or None where the body is empty)."""
