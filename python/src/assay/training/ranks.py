"""Work shared between processes that `torchrun` started, one thread each; alone without it.

On a CPU that other programs use too, two processes of one thread finish sooner than one process of
two threads, which wait for each other within every matrix product.
"""

import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch import distributed

Item = TypeVar("Item")


def join() -> None:
    """Meet the other processes, where torchrun's environment names any."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        distributed.init_process_group("gloo")


def leave() -> None:
    """Part from the other processes."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def rank() -> int:
    """This process's number, from 0; rank 0 writes and reports."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    """How many processes share the work."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def own(items: Iterable[Item]) -> Iterator[Item]:
    """Every size()-th item, from this process's number on."""
    return (item for place, item in enumerate(items) if place % size() == rank())


def add_up(tensor: torch.Tensor) -> None:
    """Replace `tensor`, of any shape, by its sum over all processes."""
    if distributed.is_initialized():
        distributed.all_reduce(tensor)
