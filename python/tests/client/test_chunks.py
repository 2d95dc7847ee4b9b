"""Samples divided into requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import AssayError
from assay.client import Limits
from assay.client.chunks import HEAD_BYTES, in_groups, make_chunks, make_one_chunk
from assay.client.samples import Columns, Sample

COLUMNS = Columns()
LIMITS = Limits(samples=8, body_bytes=HEAD_BYTES + 200, tokens=40)


def sample(group: str | None = None, tokens: int = 5, size: int = 10) -> Sample:
    return Sample(b"x" * size, tokens, None, group)


some = st.builds(
    sample,
    st.sampled_from([None, None, "g1", "g2"]),
    st.integers(1, 30),
    st.integers(1, 12),
)


@given(st.lists(some, min_size=1, max_size=16))
def test_every_row_goes_once_and_groups_stay_whole(samples: list[Sample]) -> None:
    if max(sum(s.group == g for s in samples) for g in ("g1", "g2")) > LIMITS.samples:
        return
    chunks = make_chunks(samples, COLUMNS, LIMITS)
    assert sorted(row for chunk in chunks for row in chunk.rows) == list(range(len(samples)))
    for chunk in chunks:
        assert [samples[row] for row in chunk.rows] == list(chunk.samples)
        assert len(chunk.rows) <= LIMITS.samples
        assert len(chunk.joined(b",")) <= LIMITS.body_bytes - HEAD_BYTES
        groups = {s.group for s in chunk.samples}
        several = len(groups) > 1 or (None in groups and len(chunk.rows) > 1)
        assert not several or sum(s.tokens for s in chunk.samples) <= LIMITS.tokens
    for group in ("g1", "g2"):
        assert sum(any(s.group == group for s in chunk.samples) for chunk in chunks) <= 1


def test_requests_are_filled_in_the_callers_order() -> None:
    chunks = make_chunks([sample() for _ in range(20)], COLUMNS, LIMITS)
    assert [chunk.rows for chunk in chunks] == [
        tuple(range(8)),
        tuple(range(8, 16)),
        tuple(range(16, 20)),
    ]


def test_a_group_larger_than_a_request_is_refused_by_row() -> None:
    with pytest.raises(AssayError, match="row 1: group 'g', of 9 samples, does not fit") as error:
        make_chunks([sample(), *[sample("g")] * 9], COLUMNS, LIMITS)
    assert error.value.code == "too_large"


def test_a_sample_larger_than_a_request_is_refused_by_row() -> None:
    with pytest.raises(AssayError, match="row 1: the sample does not fit"):
        make_chunks([sample(), sample(size=300)], COLUMNS, LIMITS)


def test_one_request_takes_any_number_of_tokens_but_not_of_samples_or_bytes() -> None:
    assert make_one_chunk([sample(tokens=500)] * 8, COLUMNS, LIMITS) is not None
    assert make_one_chunk([sample()] * 9, COLUMNS, LIMITS) is None
    assert make_one_chunk([sample(size=150)] * 2, COLUMNS, LIMITS) is None


def test_a_stream_has_the_samples_of_a_group_one_after_another() -> None:
    rows = in_groups([sample("a"), sample(), sample("b"), sample("a")], COLUMNS).rows
    assert rows == (0, 3, 1, 2)
