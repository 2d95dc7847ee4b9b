"""Work beside the training, one piece at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a piece of work gave, or why it failed."""

    value: T | None
    error: Exception | None


class Background(Generic[T]):
    """Runs work in a thread that does not keep the process alive."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._outcome: Outcome[T] | None = None

    @property
    def busy(self) -> bool:
        """Whether there is work whose outcome nobody has collected."""
        return self._thread is not None

    def start(self, work: Callable[[], T]) -> None:
        """Starts work; there is none before."""
        if self.busy:
            raise RuntimeError("the work before has not been collected")

        def run() -> None:
            try:
                self._outcome = Outcome(work(), None)
            except Exception as error:
                self._outcome = Outcome(None, error)

        self._thread = threading.Thread(target=run, name="assay-weights", daemon=True)
        self._thread.start()

    def collect(self, wait_s: float = 0.0) -> Outcome[T] | None:
        """The outcome, once; None while the work runs, or if there is none. Waits so long."""
        if self._thread is None:
            return None
        self._thread.join(wait_s)
        if self._thread.is_alive():
            return None
        outcome, self._thread, self._outcome = self._outcome, None, None
        return outcome
