import numpy as np
import pytest
import torch

from assay.training.batches import batch_count, length_sorted_batches, pad, shuffled_batches

ROWS = [
    {"input_ids": [7] * length, "token_type_ids": [0] * (length - 1) + [1]}
    for length in np.random.default_rng(1).integers(2, 40, size=333)
]


def test_padding_is_masked_and_on_the_right() -> None:
    short = {"input_ids": [5, 6], "token_type_ids": [0, 1]}
    long = {"input_ids": [1, 2, 3], "token_type_ids": [0, 0, 1]}
    inputs = pad([short, long], np.array([0, 1]))
    assert inputs["input_ids"].tolist() == [[5, 6, 0], [1, 2, 3]]
    assert inputs["token_type_ids"].tolist() == [[0, 1, 0], [0, 0, 1]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert all(tensor.dtype == torch.int64 for tensor in inputs.values())


@pytest.mark.parametrize("size", [4, 16, 1000])
def test_every_row_is_in_one_batch(size: int) -> None:
    batches = list(shuffled_batches(ROWS, size, np.random.default_rng(1)))
    assert sorted(np.concatenate([rows for rows, _ in batches])) == list(range(len(ROWS)))
    assert len(batches) == batch_count(len(ROWS), size)
    in_order = np.concatenate([rows for rows, _ in length_sorted_batches(ROWS, size)])
    assert sorted(in_order) == list(range(len(ROWS)))


def test_batches_hold_rows_of_similar_length() -> None:
    padded = sum(i["input_ids"].numel() for _, i in shuffled_batches(ROWS, 8, _rng()))
    tokens = sum(len(row["input_ids"]) for row in ROWS)
    assert padded < 1.1 * tokens


def test_batches_come_in_another_order_each_time() -> None:
    rng = _rng()
    first, second = (
        np.concatenate([rows for rows, _ in shuffled_batches(ROWS, 8, rng)]) for _ in range(2)
    )
    assert list(first) != list(second)


def _rng() -> np.random.Generator:
    return np.random.default_rng(1)
