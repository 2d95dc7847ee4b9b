from pathlib import Path

import pytest
import torch

from assay.training.crossval import judged_pairs
from assay.training.data import read_judgements
from assay.training.finetune import (
    MIXES,
    Ends,
    best_f1,
    choose_mix,
    search_quality,
)
from assay.training.network import load_cross_encoder, load_tokenizer


def test_labels_are_thirds_of_the_rating_and_two_or_more_is_relevant(data: Path) -> None:
    pairs = judged_pairs(read_judgements(data))
    assert pairs.labels == pytest.approx(pairs.grades / 3)
    assert list(pairs.relevant) == [grade in (2, 3) for grade in pairs.grades]


def test_a_mix_lies_between_the_two_ends(base: Path) -> None:
    model = load_cross_encoder(base, seed=1)
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    end = {name: tensor + 1 for name, tensor in start.items()}
    ends = Ends(model, load_tokenizer(base), start, end)
    for mix in MIXES:
        weights = ends.model_at(mix).state_dict()
        assert all(torch.allclose(weights[name], start[name] + mix) for name in start)


def test_the_choice_takes_the_best_mix_and_the_smallest_on_a_tie(data: Path) -> None:
    pairs = judged_pairs(read_judgements(data))
    qualities = {0.0: 0.1, 0.25: 0.7, 0.5: 0.9, 0.75: 0.9, 1.0: 0.2}
    scores = {mix: pairs.grades + mix for mix in qualities}
    choice = choose_mix(pairs, scores, lambda pairs, scores: qualities[scores.min()])
    assert choice.mix == 0.5
    assert choice.quality == qualities
    assert choice.threshold == 2.5


def test_perfect_scores_have_quality_one(data: Path) -> None:
    pairs = judged_pairs(read_judgements(data))
    assert search_quality(pairs, pairs.grades) == pytest.approx(1)
    assert best_f1(pairs, pairs.grades) == pytest.approx(1)
