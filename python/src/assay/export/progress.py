"""What an export is doing, told in stages as it goes: silent in a library, on stderr for a command.

Each stage gives freed memory back to the system when it ends, so that the next starts from little.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import resource
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

STEP_SECONDS = 10.0  # between two lines of one stage
Item = TypeVar("Item")
log = logging.getLogger("assay.export")


class _SinceStart(logging.Formatter):
    """Seconds since the formatter was made, and the message."""

    def __init__(self) -> None:
        super().__init__()
        self._start = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        return f"[{time.monotonic() - self._start:6.1f} s] {record.getMessage()}"


@contextlib.contextmanager
def progress_on_stderr() -> Iterator[None]:
    """Tells the stages of the body on stderr, a line each, on a terminal or not."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_SinceStart())
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.info("peak memory %.2f GB", peak_memory() / 1e9)
        log.removeHandler(handler)
        log.setLevel(level)


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """One part of the work, told as it begins."""
    log.info("%s", name)
    try:
        yield
    finally:
        _give_back()


def steps(items: Sequence[Item], what: str) -> Iterable[Item]:
    """The items, with a line now and then of how many are done; `what` names them."""
    told = time.monotonic()
    for index, item in enumerate(items):
        if time.monotonic() - told > STEP_SECONDS:
            told = time.monotonic()
            log.info("  %d of %d %s", index, len(items), what)
        yield item


def peak_memory() -> int:
    """The most memory that this process had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _give_back() -> None:
    """Frees what the C library keeps of freed memory; it has no such call on some systems."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
