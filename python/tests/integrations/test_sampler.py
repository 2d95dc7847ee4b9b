"""The order of one process: drawn rows, multipliers, versions, resumes."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from assay.integrations import ImportanceSampler, RowWeights, WeightedDataset
from by_hand import draws, near

N = 200
VALUES = (np.random.default_rng(3).random(N) ** 3 + 0.01).tolist()
OTHERS = (np.random.default_rng(4).random(N) ** 3 + 0.01).tolist()
ROWS = [{"x": float(row)} for row in range(N)]


def drawn(values: list[float], version: int = 1) -> RowWeights:
    return RowWeights.read(values, version, "draw")


def pairs(sampler: ImportanceSampler) -> list[tuple[int, float]]:
    return [(each.row, each.multiplier) for each in sampler]


def test_rows_and_multipliers_are_those_computed_by_hand() -> None:
    sampler = ImportanceSampler(drawn(VALUES), seed=5)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        found, expected = pairs(sampler), draws(VALUES, 5, epoch, 0, N)
        assert [row for row, _ in found] == [row for row, _ in expected]
        assert [m for _, m in found] == pytest.approx([m for _, m in expected])


def test_an_epoch_over_several_chunks_of_random_numbers_is_one_sequence() -> None:
    values = np.random.default_rng(0).random(10_000).tolist()
    found = pairs(ImportanceSampler(drawn(values), seed=1))
    for start in (4094, 8190):
        expected = draws(values, 1, 0, start, start + 4)
        assert found[start : start + 4] == near(expected)


def test_each_row_comes_once_an_epoch_where_weights_multiply() -> None:
    sampler = ImportanceSampler(RowWeights.read(VALUES, 1, "multiply"), seed=5)
    first, second = pairs(sampler), pairs(sampler)
    assert sorted(row for row, _ in first) == list(range(N))
    assert sorted(row for row, _ in second) == list(range(N))
    assert [row for row, _ in first] != [row for row, _ in second]
    mean = sum(VALUES) / N
    assert [m for _, m in first] == pytest.approx([VALUES[row] / mean for row, _ in first])


@pytest.mark.parametrize("use", ["draw", "multiply"])
def test_the_mean_over_many_epochs_is_the_objective(use: Any) -> None:
    losses = np.linspace(0, 4, N)
    sampler = ImportanceSampler(RowWeights.read(VALUES, 1, use), seed=0)
    means = [np.mean([losses[row] * m for row, m in pairs(sampler)]) for _ in range(100)]
    objective = losses if use == "draw" else losses * VALUES / np.mean(VALUES)
    assert np.mean(means) == pytest.approx(objective.mean(), rel=0.03)


def test_whole_batches_are_drawn() -> None:
    sampler = ImportanceSampler(drawn(VALUES), batch=32)
    assert len(sampler) == len(pairs(sampler)) == 224
    every = ImportanceSampler(RowWeights.equal(N), batch=32)
    assert sorted({row for row, _ in pairs(every)}) == list(range(N))


def test_an_epoch_that_is_over_is_followed_by_the_next() -> None:
    sampler, told = (ImportanceSampler(drawn(VALUES), seed=5) for _ in range(2))
    first, second = pairs(sampler), pairs(sampler)
    assert first != second
    told.set_epoch(1)
    assert pairs(told) == second


@pytest.mark.parametrize("workers", [0, 2])
def test_a_new_version_holds_from_its_place_on_and_never_in_what_was_prefetched(
    workers: int,
) -> None:
    sampler = ImportanceSampler(drawn(VALUES), seed=5, batch=8)
    loader = DataLoader(
        WeightedDataset(ROWS, rows=True), batch_size=8, sampler=sampler, num_workers=workers
    )
    found: list[tuple[int, float]] = []
    for number, batch in enumerate(loader):
        found += zip(batch["row"].tolist(), batch["weight"].tolist(), strict=True)
        assert batch["x"].tolist() == batch["row"].tolist()
        if number == 4:
            place = sampler.take_up(drawn(OTHERS, 2), step=16)
            # Workers have fetched ahead: the place lies behind all of that.
            assert place.epoch == 0
            assert place.position % 16 == 0
            assert place.position >= (number + 1 + 2 * workers) * 8
    expected = draws(VALUES, 5, 0, 0, place.position) + draws(OTHERS, 5, 0, place.position, N)
    assert found == near(expected)
    sampler.set_epoch(1)
    assert pairs(sampler) == near(draws(OTHERS, 5, 1, 0, N))


def test_a_version_that_comes_at_the_end_holds_from_the_next_epoch_on() -> None:
    sampler = ImportanceSampler(drawn(VALUES), seed=5, batch=8)
    order = iter(sampler)
    for _ in range(N - 3):
        next(order)
    assert sampler.take_up(drawn(OTHERS, 2), step=8) == (1, 0)
    assert len(list(order)) == 3
    assert sampler.weights.version == 2
    assert pairs(sampler) == near(draws(OTHERS, 5, 1, 0, N))


def test_a_resume_gives_the_rest_of_the_epoch_with_its_versions() -> None:
    sampler = ImportanceSampler(drawn(VALUES), seed=5)
    sampler.set_epoch(3)
    whole, place = [], None
    for position, each in enumerate(sampler):
        whole.append(each)
        if position == 60:
            place = sampler.take_up(drawn(OTHERS, 2), step=10)
            state = pickle.loads(pickle.dumps(sampler.state_dict()))
    assert place == (3, 70)
    resumed = ImportanceSampler(RowWeights.equal(N), seed=99)
    resumed.load_state_dict(state)
    resumed.set_epoch(3, start=64)
    assert list(resumed) == whole[64:]
    # What the loop of a Trainer does: it begins the epoch again, and skips.
    again = ImportanceSampler(RowWeights.equal(N))
    again.load_state_dict(state)
    again.set_epoch(3)
    assert list(again) == whole


def test_a_state_of_other_data_is_refused() -> None:
    state = ImportanceSampler(drawn(VALUES)).state_dict()
    with pytest.raises(ValueError, match="200 draws an epoch, and this sampler 208"):
        ImportanceSampler(drawn(VALUES), batch=16).load_state_dict(state)
    with pytest.raises(ValueError, match="3 weights for 200 rows"):
        ImportanceSampler(drawn(VALUES)).take_up(RowWeights.equal(3))


def test_multipliers_cannot_get_lost() -> None:
    bare: Any = ROWS
    index: Any = 3
    loader: Any = DataLoader(bare, batch_size=4, sampler=ImportanceSampler(drawn(VALUES)))
    with pytest.raises(TypeError):
        next(iter(loader))
    with pytest.raises(TypeError, match="was not drawn by an ImportanceSampler"):
        WeightedDataset(ROWS)[index]


def test_rows_of_every_kind_have_their_multiplier() -> None:
    sampler = ImportanceSampler(RowWeights.read([1.0], 1, "draw"))
    [each] = list(sampler)
    assert WeightedDataset([("x", 1)])[each] == ("x", 1, 1.0)
    assert WeightedDataset([7.0], rows=True)[each] == (7.0, 1.0, 0)
    assert WeightedDataset([{"a": 2}])[each] == {"a": 2, "weight": 1.0}
    with pytest.raises(ValueError, match="has a column 'weight'"):
        WeightedDataset([{"weight": 2}])[each]
