"""Which texts a check runs together: few enough that a batch takes no more than one long text."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

TEXTS_MAX = 8
TOKENS_MAX = 512  # of a batch with its padding; a longer text runs alone


def plan_batches(lengths: Sequence[int]) -> list[list[int]]:
    """Texts by index, the longest first, each with the shortest that are left.

    `lengths` (N) are in tokens. So batches have padding.
    """
    left = deque(sorted(range(len(lengths)), key=lambda index: lengths[index]))
    batches = []
    while left:
        batch = [left.pop()]
        room = min(TEXTS_MAX, TOKENS_MAX // max(lengths[batch[0]], 1))
        while left and len(batch) < room:
            batch.append(left.popleft())
        batches.append(batch)
    return batches
