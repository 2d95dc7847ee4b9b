from pathlib import Path

import numpy as np
import pytest
import torch

from assay.training import ranks
from assay.training.batches import pad
from assay.training.fit import FitOptions, batch_gradients, fit
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
    # Over a single step the mean is that step's weights; over five it is not the last ones.
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


@pytest.mark.parametrize("rows", [1, 7, 8])
def test_the_gradients_of_two_processes_add_up_to_those_of_one(
    base: Path, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_cross_encoder(base, seed=1)
    names = ["classifier.weight", "bert.encoder.layer.0.output.dense.weight"]
    trained = [model.get_parameter(name) for name in names]
    encoded = encode_pairs(load_tokenizer(base), QUERIES[:rows], DOCUMENTS[:rows], 32)
    inputs = pad(encoded, np.arange(rows))
    targets = torch.tensor(TARGETS[:rows]).float()

    def run() -> tuple[float, list[torch.Tensor]]:
        value = batch_gradients(model, trained, inputs, targets, torch.nn.functional.mse_loss)
        return value, [parameter.grad for parameter in trained if parameter.grad is not None]

    value, gradients = run()
    monkeypatch.setattr(ranks, "size", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        shares.append(run())
    assert shares[0][0] + shares[1][0] == pytest.approx(value, rel=1e-5)
    for whole, first, second in zip(gradients, shares[0][1], shares[1][1], strict=True):
        assert torch.allclose(whole, first + second, atol=1e-6)


def test_processes_deal_out_all_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "size", lambda: 3)
    dealt = []
    for rank in range(3):
        monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
        dealt.append(list(ranks.own(range(8))))
    assert dealt == [[0, 3, 6], [1, 4, 7], [2, 5]]
