"""Integrated gradients by the attribution graph: as Captum's, complete, without padding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor

from assay.export.gradients.network import find_network
from assay.export.restore import Restored, restore_folder
from assay.export.texts import Text
from autograd import session
from checkpoints import FAMILIES

TEXT = Text("usb c cable", "usb cable mouse")
STEPS = 20  # of Gauss–Legendre
MIDPOINTS = 500
PADDED = 3  # tokens


def inputs_of(restored: Restored) -> tuple[dict[str, Tensor], Tensor]:
    """The text, int64 (1, T), and a baseline that keeps its first and last token."""
    inputs = restored.tokenizer.batch([TEXT], 64)
    given = {name: inputs[name] for name in restored.checkpoint.family.inputs}
    baseline = torch.full_like(given["input_ids"], restored.checkpoint.padding_id)
    baseline[:, [0, -1]] = given["input_ids"][:, [0, -1]]
    return given, baseline


def run(folder: Path, alpha: Any) -> tuple[Any, Any]:
    """Logits (S, K) and attributions (S, K, T) at each α (S), with a padding that is cut off."""
    restored = restore_folder(folder)
    given, baseline = inputs_of(restored)
    feeds = {**given, "baseline_ids": baseline}
    rows = {name: np.repeat(value.numpy(), len(alpha), axis=0) for name, value in feeds.items()}
    length = rows["input_ids"].shape[1]
    fill = dict.fromkeys(rows, 0) | dict.fromkeys(
        ("input_ids", "baseline_ids"), restored.checkpoint.padding_id
    )
    padded = {
        name: np.pad(value, ((0, 0), (0, PADDED)), constant_values=fill[name])
        for name, value in rows.items()
    }
    logits, attribution = session(folder / "attribution.onnx").run(
        ["logits", "attribution"], {**padded, "alpha": np.asarray(alpha, np.float32)}
    )
    assert attribution.shape == (len(alpha), restored.checkpoint.classes, length + PADDED)
    assert not attribution[:, :, length:].any()
    return logits, attribution[:, :, :length]


def gauss_legendre() -> tuple[Any, Any]:
    """α and the weights of the mean over [0, 1]."""
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    return (points + 1) / 2, weights / 2


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_its_mean_is_captums_layer_integrated_gradients(
    with_gradients: Any, family: str, classes: int
) -> None:
    folder = with_gradients(family, classes)
    restored = restore_folder(folder)
    model: Any = restored.checkpoint.model
    given, baseline = inputs_of(restored)
    others = [given[name] for name in restored.checkpoint.family.inputs[1:]]

    def forward(ids: Tensor, *rest: Tensor) -> Tensor:
        known = (ids, *(value.expand_as(ids) for value in rest))
        logits: Tensor = model(**dict(zip(given, known, strict=True))).logits
        return logits

    words = find_network(restored.checkpoint).words
    captum = LayerIntegratedGradients(forward, words)
    alpha, weights = gauss_legendre()
    _, found = run(folder, alpha)
    for k in range(classes):
        expected = captum.attribute(
            given["input_ids"],
            baseline,
            target=k,
            additional_forward_args=tuple(others),
            n_steps=STEPS,
            method="gausslegendre",
        )
        mean = (weights[:, None] * found[:, k]).sum(0)
        by_token = expected.sum(-1)[0].detach().numpy()
        assert np.abs(by_token).max() > 1e-3
        np.testing.assert_allclose(mean, by_token, atol=1e-5 * max(1.0, np.abs(by_token).max()))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_account_for_the_whole_way_from_the_baseline(
    with_gradients: Any, family: str
) -> None:
    folder = with_gradients(family, 3)
    logits, found = run(folder, [*((np.arange(MIDPOINTS) + 0.5) / MIDPOINTS), 0.0, 1.0])
    by_logit = found[:MIDPOINTS].mean(0).sum(1)
    start, end = logits[-2:]
    assert np.abs(end - start).max() > 0.01
    # DistilBERT's head has a ReLU: where a unit's sign changes, so does the gradient, in one step.
    np.testing.assert_allclose(by_logit, end - start, atol=5e-3 if family == "distilbert" else 1e-4)
    np.testing.assert_allclose(end, restore_folder(folder).outputs([TEXT]).logits[0], atol=1e-5)


def test_a_token_that_is_its_own_baseline_gets_nothing(with_gradients: Any) -> None:
    _, found = run(with_gradients("roberta", 1), [0.0, 0.3, 1.0])
    assert not found[:, :, [0, -1]].any()
    assert found[:, :, 1:-1].all()
