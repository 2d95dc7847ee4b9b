from pathlib import Path

import numpy as np
import pytest
import torch

from assay.training.fit import FitOptions, fit
from assay.training.network import encode_pairs, load_cross_encoder, load_tokenizer, logits

QUERIES = ["network cable", "toner cartridge"] * 40
DOCUMENTS = ["acme network cable black", "borealis notebook case grey"] * 40
TARGETS = np.array([1.0, -1.0] * 40)


def _fit(base: Path, options: FitOptions) -> tuple[torch.nn.Module, float]:
    tokenizer = load_tokenizer(base)
    model = load_cross_encoder(base, seed=1)
    encoded = encode_pairs(tokenizer, QUERIES, DOCUMENTS, 32)
    fit(model, encoded, TARGETS, torch.nn.functional.mse_loss, options, lambda line: None)
    answers = logits(model, tokenizer, QUERIES, DOCUMENTS, 32)
    return model, float(np.mean((answers - TARGETS) ** 2))


def test_fitting_lowers_the_loss(base: Path) -> None:
    _, error = _fit(base, FitOptions(epochs=12, learning_rate=1e-2, batch=16, seed=1))
    assert error < 0.05


def test_the_same_seed_gives_the_same_weights(base: Path) -> None:
    options = FitOptions(epochs=1, learning_rate=1e-3, batch=16, seed=1)
    first, again = (_fit(base, options)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_word_embeddings_stay_as_they_are(base: Path) -> None:
    before = load_cross_encoder(base, seed=1).bert.embeddings.word_embeddings.weight
    model, _ = _fit(base, FitOptions(epochs=1, learning_rate=1e-2, batch=16, seed=1))
    after = model.get_parameter("bert.embeddings.word_embeddings.weight")
    assert torch.equal(before, after)


def test_averaging_from_the_start_gives_the_mean_of_the_weights_of_all_steps(base: Path) -> None:
    # One step of each of two rates: the average over a single step is that step's weights.
    last = _fit(base, FitOptions(epochs=1, learning_rate=1e-3, batch=80, seed=1))[0]
    mean = _fit(base, FitOptions(epochs=1, learning_rate=1e-3, batch=80, seed=1, averaged_from=0.0))
    name = "classifier.weight"
    assert torch.allclose(last.get_parameter(name), mean[0].get_parameter(name))
    long = FitOptions(epochs=5, learning_rate=1e-3, batch=80, seed=1)
    late = FitOptions(epochs=5, learning_rate=1e-3, batch=80, seed=1, averaged_from=0.0)
    assert not torch.allclose(
        _fit(base, long)[0].get_parameter(name), _fit(base, late)[0].get_parameter(name)
    )


def test_a_loss_that_is_not_finite_stops_the_training(base: Path) -> None:
    model = load_cross_encoder(base, seed=1)
    encoded = encode_pairs(load_tokenizer(base), QUERIES, DOCUMENTS, 32)
    options = FitOptions(epochs=1, learning_rate=1e-3, batch=16, seed=1)
    with pytest.raises(FloatingPointError, match="at step 0"):
        fit(
            model,
            encoded,
            np.full(len(TARGETS), np.inf),
            torch.nn.functional.mse_loss,
            options,
            lambda line: None,
        )
