"""How far a long operation is, for who waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable

Progress = bool | Callable[[int, int], None]
"""True writes a line to stderr; a function is called with how many are done, and of how many."""


def counted(progress: Progress, total: int, verb: str, noun: str) -> Callable[[int], None]:
    """A function that takes how many more are done."""
    done = 0

    def line(count: int, of: int) -> None:
        end = "\n" if count == of or not sys.stderr.isatty() else ""
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{verb} {count:,} of {of:,} {noun}", end=end, file=sys.stderr, flush=True)

    def more(count: int) -> None:
        nonlocal done
        done += count
        if progress is True:
            line(done, total)
        elif callable(progress):
            progress(done, total)

    return more
