"""The processes of a training. Without torch.distributed there is one, and nothing is sent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from torch import distributed

T = TypeVar("T")


def is_distributed() -> bool:
    """Whether this process is one of several."""
    return distributed.is_available() and distributed.is_initialized() and _ranks() > 1


def rank() -> int:
    """The number of this process, from 0."""
    return int(distributed.get_rank()) if is_distributed() else 0


def ranks() -> int:
    """The number of processes."""
    return _ranks() if is_distributed() else 1


def from_first(value: T) -> T:
    """The value of rank 0, on every rank. A collective call: every rank makes it."""
    if not is_distributed():
        return value
    holder: list[Any] = [value if rank() == 0 else None]
    distributed.broadcast_object_list(holder, src=0)
    found: T = holder[0]
    return found


def on_first(work: Callable[[], T]) -> T:
    """What work gives on rank 0, on every rank. A collective call.

    Raises:
        Exception: what the work raises, on rank 0; a RuntimeError that names it on the others.
    """
    outcome: tuple[Any, str | None] = (None, None)
    failure: Exception | None = None
    if rank() == 0:
        try:
            outcome = (work(), None)
        except Exception as error:
            failure = error
            outcome = (None, f"rank 0: {type(error).__name__}: {error}")
    found, text = from_first(outcome)
    if failure is not None:
        raise failure
    if text is not None:
        raise RuntimeError(text)
    result: T = found
    return result


def from_all(value: T) -> list[T]:
    """Every rank's value, on every rank, by rank. A collective call."""
    if not is_distributed():
        return [value]
    holder: list[Any] = [None] * ranks()
    distributed.all_gather_object(holder, value)
    return holder


def accelerate_shards() -> bool:
    """Whether Accelerate is in use: its data loaders divide the order of a sampler by rank."""
    state = sys.modules.get("accelerate.state")
    return state is not None and bool(state.PartialState._shared_state)


def _ranks() -> int:
    return int(distributed.get_world_size())
