from pathlib import Path

import numpy as np
import pytest

from assay.training.data import read_catalogue, read_judgements, read_offers, split_by_query


def test_no_query_is_on_both_sides_of_a_split() -> None:
    groups = [f"q{i % 17}" for i in range(300)]
    for train, test in split_by_query(groups, 5, seed=1):
        assert not {groups[row] for row in train} & {groups[row] for row in test}
        assert sorted([*train, *test]) == list(range(300))


def test_every_pair_is_tested_exactly_once() -> None:
    groups = [f"q{i % 17}" for i in range(300)]
    tested = np.concatenate([test for _, test in split_by_query(groups, 5, seed=1)])
    assert sorted(tested) == list(range(300))


def test_folds_hold_equally_many_queries_give_or_take_one() -> None:
    groups = ["big"] * 500 + [f"q{i}" for i in range(22)]
    sizes = [len({groups[row] for row in test}) for _, test in split_by_query(groups, 5, seed=4)]
    assert max(sizes) - min(sizes) <= 1


def test_a_split_depends_on_its_seed_alone() -> None:
    groups = [f"q{i % 17}" for i in range(300)]
    first, again, other = (split_by_query(groups, 5, seed)[0][1] for seed in (1, 1, 2))
    assert list(first) == list(again)
    assert list(first) != list(other)


def test_more_folds_than_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="2 queries cannot be split into 5 folds"):
        split_by_query(["a", "b", "b"], 5, seed=1)


def test_the_files_are_read_in_order_and_in_full(data: Path) -> None:
    judgements = read_judgements(data)
    assert judgements[0].id == "q0:0001"
    assert {judgement.rating for judgement in judgements} == {0, 2, 3}
    assert len(read_catalogue(data)) == 120
    assert sum(offer.label for offer in read_offers(data, "abt-buy", "train")) == 8


def test_a_rating_outside_the_scale_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chorus").mkdir()
    line = '{"id": "q0:1", "group": "q0", "query": "a", "document": "b", "rating": 4}\n'
    (tmp_path / "chorus" / "judgments.jsonl").write_text(line)
    with pytest.raises(ValueError, match="rating 4 of q0:1"):
        read_judgements(tmp_path)
