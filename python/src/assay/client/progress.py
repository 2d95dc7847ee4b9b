"""How far a long operation is, for who waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = bool | Callable[[int, int], None]
"""True writes a line to stderr; a function is called with how many are done, and of how many. Of
long work in the service, it is called with the percentage that is done, and 100."""


def counted(progress: Progress, total: int, verb: str, noun: str) -> Callable[[int], None]:
    """A function that takes how many more are done."""
    done = 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        _tell(progress, done, total, f"{verb} {done:,} of {total:,} {noun}")

    return more


def tell_share(progress: Progress, share: float, verb: str, name: str) -> None:
    """Tells the share of long work that is done."""
    percent = int(100 * share)
    _tell(progress, percent, 100, f"{verb} {name}: {percent}%")


def _tell(progress: Progress, done: int, total: int, line: str) -> None:
    if callable(progress):
        progress(done, total)
    elif progress:
        end = "\n" if done == total or not sys.stderr.isatty() else ""
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{line}", end=end, file=sys.stderr, flush=True)
