"""When a call is sent again, and after how long."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

RETRIED_STATUSES = frozenset({429, 502, 503})
# A 503 that stays one until a person acts.
LASTING_CODES = frozenset({"memory_insufficient", "model_invalid", "device_unavailable"})


@dataclass(frozen=True)
class Retry:
    """How patient a client is.

    A call is sent again after 429, 502, 503 or a broken connection. It waits for what the service
    asks (Retry-After) and then `first_s`, doubled each time up to `longest_s`, of which a random
    half to whole is taken, so that many clients do not come back at once. A call fails once it
    would have waited more than `total_s` in all; 0 means no second try.
    """

    first_s: float = 0.5
    longest_s: float = 20.0
    total_s: float = 120.0


@dataclass
class Attempts:
    """The tries of one call. `draw` gives a number in [0, 1)."""

    retry: Retry
    draw: Callable[[], float] = field(default_factory=lambda: random.random)
    failed: int = 0
    waited_s: float = field(default=0.0, init=False)

    def delay_s(self, retry_after: str | None = None) -> float | None:
        """Seconds to wait after a failure before the next try; None to give up."""
        backoff = min(self.retry.longest_s, self.retry.first_s * 2.0**self.failed)
        delay = seconds_of(retry_after) + backoff * (0.5 + self.draw() / 2)
        if self.waited_s + delay > self.retry.total_s:
            return None
        self.failed += 1
        self.waited_s += delay
        return delay


def is_retried(status: int, code: str) -> bool:
    """Whether the same call may succeed later."""
    return status in RETRIED_STATUSES and code not in LASTING_CODES


def seconds_of(retry_after: str | None) -> float:
    """Retry-After in seconds: a number, or a date (RFC 9110, 10.2.3); 0 where it is neither."""
    if retry_after is None:
        return 0.0
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0
