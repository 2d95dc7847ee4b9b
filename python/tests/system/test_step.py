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

from assay.export.restore import restore_folder
from assay.export.texts import Text
from service import Row, Service

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "models" / "default"
RATE = 1e-6  # of the step: its second order is 1e-4 of the first
VALIDATION = 8
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

    change = _changes(validation, samples)
    assert len(change) == STEPS
    assert np.corrcoef(-RATE * influence, change)[0, 1] >= 0.99
    largest = np.abs(change).max()
    np.testing.assert_allclose(-RATE * influence, change, rtol=0, atol=1e-3 * largest)
    # A test of nothing but signs, or of one large sample, would pass with less.
    assert np.abs(change).min() < largest / 100
    assert (change > 0).any()
    assert (change < 0).any()


def _changes(validation: list[Row], samples: list[Row]) -> Figures:
    """By how much the mean validation loss changes with one step of SGD on each sample (N)."""
    restored = restore_folder(MODEL)
    model: Any = restored.checkpoint.model.double().requires_grad_(True)
    limit = int(restored.manifest["max_tokens"])

    def encode(rows: list[Row]) -> tuple[dict[str, Tensor], Tensor]:
        texts = [Text(row["query"], row["document"]) for row in rows]
        return restored.tokenizer.batch(texts, limit), torch.tensor([row["label"] for row in rows])

    def loss(inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
        logits = model(**inputs).logits[:, 0]
        return functional.binary_cross_entropy_with_logits(logits, labels.double())

    def validation_loss() -> float:
        with torch.no_grad():
            return float(loss(*held_out))

    held_out = encode(validation)
    before = validation_loss()
    stored = {name: p.detach().clone() for name, p in model.named_parameters()}
    changes = []
    for sample in samples:
        optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
        optimiser.zero_grad()
        torch.autograd.backward(loss(*encode([sample])))
        optimiser.step()
        changes.append(validation_loss() - before)
        model.load_state_dict(stored, strict=False)
    return np.array(changes)
