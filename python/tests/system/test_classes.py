"""Several logits, end to end: the served signals of a small random model against autograd.

Once with gradients of all parameters, and once of the last layer and the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from scoped import copy_with_scope
from torch import Tensor

from assay.export.restore import Restored, restore_folder
from assay.export.texts import Text
from service import Row, Service, Start

CLASSES = 3
SAMPLES: list[Row] = [
    {"query": "usb c cable", "document": "usb usb usb cable cable", "label": 0},
    {"query": "wireless mouse", "document": "mouse 4k monitor", "label": 1},
    {"query": "a", "document": "b " * 99, "label": 2},
    {"query": "蓝牙耳机", "document": "苹果手机充电器", "label": 1},
    {"text": "a single text", "label": 2},
    {"query": "mouse", "document": "", "label": [0.2, 0.5, 0.3]},
]


@pytest.fixture(scope="module", params=["all", "last:1"])
def folder(
    request: pytest.FixtureRequest,
    with_gradients: Callable[[str, int], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """By the gradient scope."""
    whole = with_gradients("bert", CLASSES)
    if request.param == "all":
        return whole
    part = tmp_path_factory.mktemp("scoped") / "tiny"
    copy_with_scope(whole, part, request.param)
    return part


@pytest.fixture(scope="module")
def service(folder: Path, start_service: Start) -> Service:
    return start_service(folder)


@dataclass(frozen=True)
class Views:
    """Of one sample, in float64: probabilities (K) and each logit's gradient (K, parameters).

    The parameters are those of the folder's gradient scope.
    """

    p: Tensor
    gradients: Tensor

    def of_loss(self, target: Tensor) -> Tensor:
        """The gradient (parameters) of the cross entropy with the target (K)."""
        return (self.p - target) @ self.gradients


@pytest.fixture(scope="module")
def views(folder: Path) -> list[Views]:
    restored = restore_folder(folder)
    restored.checkpoint.model.double().requires_grad_(True)
    return [_views(restored, sample) for sample in SAMPLES]


def test_gradient_norms_are_autograd_s(service: Service, views: list[Views]) -> None:
    results = service.scores(SAMPLES, ["grad_norm", "sensitivity", "expected_grad_norm"])
    for result, sample, view in zip(results, SAMPLES, views, strict=True):
        norms = [float(view.of_loss(_one_hot(k)).norm()) for k in range(CLASSES)]
        expected = {
            "grad_norm": float(view.of_loss(_target(sample)).norm()),
            "sensitivity": float(view.gradients.norm()),
            "expected_grad_norm": float(view.p @ torch.tensor(norms, dtype=torch.float64)),
        }
        found = {signal: result[signal] for signal in expected}
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "signal"), [("loss_gradient", "influence"), ("mean_direction", "alignment")]
)
def test_gradients_along_a_direction_are_autograd_s(
    service: Service, views: list[Views], kind: str, signal: str
) -> None:
    service.send("PUT", f"/v1/directions/{kind}", {"kind": kind, "samples": SAMPLES})
    results = service.scores(SAMPLES, [signal], direction=kind)
    pairs = zip(views, SAMPLES, strict=True)
    rows = torch.stack([view.of_loss(_target(sample)) for view, sample in pairs])
    if kind == "mean_direction":
        rows /= rows.norm(dim=1, keepdim=True)
    direction = rows.mean(0)
    if signal == "alignment":
        direction /= direction.norm()
    expected = (rows @ direction).numpy()
    found = np.array([result[signal] for result in results])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def _views(restored: Restored, sample: Row) -> Views:
    text = Text(sample["text"]) if "text" in sample else Text(sample["query"], sample["document"])
    inputs = restored.tokenizer.batch([text], int(restored.manifest["max_tokens"]))
    model: Any = restored.checkpoint.model
    logits = model(**inputs).logits[0]
    parameters = list(restored.model.gradient_parameters().values())
    parts = [torch.autograd.grad(logit, parameters, retain_graph=True) for logit in logits]
    flat = torch.stack([torch.cat([part.flatten() for part in of]) for of in parts])
    return Views(logits.detach().softmax(0), flat)


def _target(sample: Row) -> Tensor:
    label = sample["label"]
    return torch.tensor(label, dtype=torch.float64) if isinstance(label, list) else _one_hot(label)


def _one_hot(k: int) -> Tensor:
    return functional.one_hot(torch.tensor(k), CLASSES).double()
