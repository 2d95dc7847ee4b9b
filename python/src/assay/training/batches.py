"""Batches of token ids of similar length, so that little of the work is padding."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

Encoded = dict[str, list[int]]  # input_ids and token_type_ids of one text or pair
Rows = npt.NDArray[np.intp]
POOL_BATCHES = 50  # batches that are sorted by length together


def length_sorted_batches(
    encoded: Sequence[Encoded], size: int
) -> Iterator[tuple[Rows, dict[str, torch.Tensor]]]:
    """(rows, inputs) in order of length, every row once."""
    order = np.argsort([len(row["input_ids"]) for row in encoded], kind="stable")
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        yield rows, pad(encoded, rows)


def shuffled_batches(
    encoded: Sequence[Encoded], size: int, rng: np.random.Generator
) -> Iterator[tuple[Rows, dict[str, torch.Tensor]]]:
    """(rows, inputs), every row once: rows are shuffled, sorted by length within pools of
    POOL_BATCHES batches, and each pool's batches come in random order."""
    lengths = np.array([len(row["input_ids"]) for row in encoded])
    order = rng.permutation(len(encoded))
    for pool_start in range(0, len(order), size * POOL_BATCHES):
        pool = order[pool_start : pool_start + size * POOL_BATCHES]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        starts = np.arange(0, len(pool), size)
        for start in rng.permutation(starts):
            rows = pool[start : start + size]
            yield rows, pad(encoded, rows)


def batch_count(rows: int, size: int) -> int:
    """How many batches `shuffled_batches` makes of `rows` rows."""
    pool = size * POOL_BATCHES
    return rows // pool * POOL_BATCHES + -(-(rows % pool) // size)


def pad(encoded: Sequence[Encoded], rows: Rows) -> dict[str, torch.Tensor]:
    """input_ids, token_type_ids and attention_mask, int64 (B, T), padded with 0 on the right."""
    chosen = [encoded[row] for row in rows]
    length = max(len(row["input_ids"]) for row in chosen)
    inputs = {
        name: torch.tensor([row[name] + [0] * (length - len(row[name])) for row in chosen])
        for name in ("input_ids", "token_type_ids")
    }
    counts = torch.tensor([[len(row["input_ids"])] for row in chosen])
    inputs["attention_mask"] = (torch.arange(length)[None, :] < counts).long()
    return inputs
