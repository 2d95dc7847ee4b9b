"""Influence as physics: one small step on a sample changes the validation loss by what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor

from assay import AssayError, Client
from assay.export.restore import restore_folder
from assay.export.texts import Text
from service import Row, Service

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "models" / "default"
RATE = 1e-6  # of the step: its second order is 1e-4 of the first
ADAM_RATE = 1e-9  # of a step whose entries are up to 10,000 times the gradient's
BETA = 1 - 1e-10
VALIDATION = 8
ADAM_STEPS = 8
STEPS = 16  # each takes a pass over the validation samples in float64
Figures = NDArray[np.float64]


@pytest.fixture(scope="module")
def pairs() -> list[Row]:
    """Labelled pairs, of which the first are for validation; no query is in both parts."""
    lines = (ROOT / "test" / "fixtures" / "pairs.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    chosen = [row for row in rows if row["id"].endswith((":p1", ":p2"))]
    return chosen[:VALIDATION] + chosen[-STEPS:]


def test_a_step_on_a_sample_changes_the_validation_loss_by_its_influence(
    shipped_service: Service, pairs: list[Row]
) -> None:
    validation, samples = pairs[:VALIDATION], pairs[VALIDATION:]
    body = {"kind": "loss_gradient", "samples": validation}
    shipped_service.send("PUT", "/v1/directions/validation", body)
    results = shipped_service.scores(samples, ["influence"], direction="validation")
    influence = np.array([result["influence"] for result in results])

    change = _changes(_Training(), validation, samples, RATE)
    assert len(change) == STEPS
    _expect_first_order(-RATE * influence, change)
    # A test of nothing but signs, or of one large sample, would pass with less.
    assert np.abs(change).min() < np.abs(change).max() / 100
    assert (change > 0).any()
    assert (change < 0).any()


def test_a_step_of_adam_changes_it_by_the_preconditioned_influence(
    shipped_service: Service, pairs: list[Row]
) -> None:
    validation, samples = pairs[:VALIDATION], pairs[-ADAM_STEPS:]
    training = _Training()
    # No momentum, second moments that one step hardly moves, and no entry with a huge step.
    optimiser = torch.optim.Adam(training.model.parameters(), lr=0, betas=(0.0, BETA), eps=1e-4)
    trained = pairs[: 2 * VALIDATION : 2]
    for pair in trained:
        training.step(optimiser, [pair])  # which moves the second moments alone
    for state in optimiser.state.values():
        state["exp_avg_sq"] /= 1 - BETA ** len(trained)  # the mean square, as of a long training
        state["step"].fill_(1e13)
    with Client(shipped_service.url) as client:
        client.make_direction("plain", validation, kind="loss_gradient")
        client.make_direction("adam", validation, kind="loss_gradient")
        optimiser.param_groups[0]["lr"] = ADAM_RATE
        made = client.scale_direction("adam", optimiser=optimiser, module=training.model)
        assert made.preconditioned
        again = client.scale_direction("adam", optimiser=optimiser, module=training.model)
        assert again == made
        with pytest.raises(AssayError, match="scaled by another vector"):
            client.scale_direction("adam", optimiser=optimiser, module=training.model, squared=True)
        plain, adam = (
            np.array(client.score(samples, signals=["influence"], direction=name)["influence"])
            for name in ("plain", "adam")
        )
    change = _changes(training, validation, samples, ADAM_RATE, optimiser)
    _expect_first_order(-ADAM_RATE * adam, change)
    assert np.corrcoef(-plain, change)[0, 1] < 0.98  # or the scale would not matter here


def _expect_first_order(expected: Figures, change: Figures) -> None:
    assert np.corrcoef(expected, change)[0, 1] >= 0.99
    np.testing.assert_allclose(expected, change, rtol=0, atol=2e-3 * np.abs(change).max())


class _Training:
    """The shipped model in float64."""

    def __init__(self) -> None:
        self._restored = restore_folder(MODEL)
        self.model: Any = self._restored.checkpoint.model.double().requires_grad_(True)
        self._limit = int(self._restored.manifest["max_tokens"])

    def loss(self, rows: list[Row]) -> Tensor:
        """The mean loss of rows."""
        texts = [Text(row["query"], row["document"]) for row in rows]
        logits = self.model(**self._restored.tokenizer.batch(texts, self._limit)).logits[:, 0]
        labels = torch.tensor([row["label"] for row in rows]).double()
        return functional.binary_cross_entropy_with_logits(logits, labels)

    def step(self, optimiser: torch.optim.Optimizer, rows: list[Row]) -> None:
        """One step on rows."""
        optimiser.zero_grad()
        torch.autograd.backward(self.loss(rows))
        optimiser.step()


def _changes(
    training: _Training,
    validation: list[Row],
    samples: list[Row],
    rate: float,
    adam: torch.optim.Optimizer | None = None,
) -> Figures:
    """By how much the mean validation loss changes with one step on each sample (N), of SGD.

    With `adam` the steps are that optimiser's, whose second moments stay nearly as they are.
    """

    def validation_loss() -> float:
        with torch.no_grad():
            return float(training.loss(validation))

    before = validation_loss()
    stored = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    optimiser = torch.optim.SGD(training.model.parameters(), lr=rate) if adam is None else adam
    changes = []
    for sample in samples:
        training.step(optimiser, [sample])
        changes.append(validation_loss() - before)
        training.model.load_state_dict(stored, strict=False)
    return np.array(changes)
