"""Texts that a check runs together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.export.batches import TEXTS_MAX, TOKENS_MAX, plan_batches


@given(st.lists(st.integers(0, 2 * TOKENS_MAX), max_size=60))
def test_every_text_is_in_one_batch_that_is_no_larger_than_a_long_text(lengths: list[int]) -> None:
    batches = plan_batches(lengths)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or (len(batch) <= TEXTS_MAX and padded <= TOKENS_MAX)


def test_the_longest_goes_with_the_shortest() -> None:
    assert plan_batches([10, 512, 100, 20, 256]) == [[1], [4, 0], [2, 3]]
