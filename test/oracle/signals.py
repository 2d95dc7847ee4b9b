"""Every signal of one checkpoint, from given logits and labels, in float64.

Gradients come from torch autograd: r = dl/dz, and those over all parameters of a model of six
parameters, z(theta) = z + J theta at theta = 0, whose gram is J J^T and whose tangent along v is
J v. The losses are written with logsigmoid rather than with log_softmax so that a saturated sample
keeps its digits: at a gap of 40 between two logits, p - 1 is -4e-18 here and 0 in the usual form,
and a fixture must not punish the better answer. `agrees_with_torch` holds each loss and gradient
against torch's own functions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from groups import PARAMETERS, gradient_signals, make_groups, norm_of, rivals, weighted

Case = dict[str, Any]
EXTREMES = (
    0.0,
    1e-30,
    -1e-30,
    1e-8,
    20.0,
    -20.0,
    40.0,
    -40.0,
    700.0,
    1e3,
    -1e3,
    1e30,
    -1e30,
)


def make_signals() -> list[Case]:
    """One case per sample: `{loss, logits (K), label, features_squared, gram (K K), tangent (K),
    direction_norm, reference_loss, expected}`, and the cases of `groups.make_groups`.

    `label` is null for an unlabelled sample, a number, or (K > 1, soft) K probabilities;
    `features_squared` is the squared norm of the features, and `expected` holds the signals.
    """
    random = np.random.default_rng(20261123)
    cases = [
        *_binary_cases(random),
        *_regression_cases(random),
        *_classification_cases(random),
    ]
    models = np.random.default_rng(20261124)
    return [*(_with_gradients(case, models) for case in cases), *make_groups()]


def _binary_cases(random: np.random.Generator) -> list[Case]:
    cases = []
    drawn = [_rounded(z) for z in random.normal(0, 3, 16)]
    for z in (*drawn, *EXTREMES):
        soft = round(float(random.uniform(0.05, 0.95)), 3)
        for label in (0, 1, soft, None):
            cases.append(_case("bce", [z], label, _squared(random)))
    return cases


def _regression_cases(random: np.random.Generator) -> list[Case]:
    drawn = [(_rounded(random.normal(0, 3)), _rounded(random.normal(0, 3))) for _ in range(16)]
    extreme = [(z, 0.5) for z in EXTREMES] + [(2.0, 2.0), (1.0, -1e6)]
    return [_case("mse", [z], label, _squared(random)) for z, label in (*drawn, *extreme)]


def _classification_cases(random: np.random.Generator) -> list[Case]:
    rows = [[_rounded(z) for z in row] for row in random.normal(0, 3, (16, 3))]
    rows += [
        [0.0, 0.0, 0.0],
        [1e-30, -1e-30, 0.0],
        [40.0, 0.0, -1.0],
        [-40.0, -80.0, 3.0],
        [1e3, -1e3, 0.0],
        [1e3, 1e3, -1e3],
        [-1e3, -1e3, -1e3],
        [1e30, 0.0, -1e30],
        [20.0, 20.0 + 2.0**-10, -5.0],
    ]
    cases = []
    for row in rows:
        soft = [round(float(p), 3) for p in random.dirichlet([1.0, 1.0, 1.0])]
        soft[2] = round(1.0 - soft[0] - soft[1], 3)
        for label in (0, 1, 2, soft, None):
            cases.append(_case("cross_entropy", row, label, _squared(random)))
    return cases


def _case(loss: str, logits: list[float], label: Any, features_squared: float) -> Case:
    expected: dict[str, Any] = {}
    if loss != "mse":
        expected |= _label_free(logits)
    if label is not None:
        expected |= _labelled(loss, logits, label, features_squared)
    return {
        "loss": loss,
        "logits": logits,
        "label": label,
        "features_squared": features_squared,
        "expected": expected,
    }


def _label_free(logits: list[float]) -> dict[str, Any]:
    log_p = _log_probabilities(logits)
    entropy = -math.fsum(math.exp(value) * value for value in log_p)
    probabilities = [math.exp(value) for value in log_p]
    if len(logits) == 1:
        return {"probability": probabilities[1], "entropy": entropy}
    return {"probabilities": probabilities, "entropy": entropy}


def _labelled(
    loss: str, logits: list[float], label: Any, features_squared: float
) -> dict[str, float]:
    value, gradient = loss_and_gradient(loss, logits, label)
    norm = math.hypot(*gradient)
    signals = {
        "loss": value,
        "grad_norm_last": norm * math.sqrt(features_squared + 1.0),
    }
    if loss == "mse":
        return signals
    signals |= {"el2n": norm}  # p - y is the gradient of bce and of cross entropy
    p = [math.exp(value) for value in _log_probabilities(logits)]
    if loss == "bce":
        signals["confidence"] = p[1] * label + p[0] * (1 - label)
        if label in (0, 1):
            signals["margin"] = (2 * label - 1) * logits[0]
    elif isinstance(label, list):
        signals["confidence"] = math.fsum(y * q for y, q in zip(label, p, strict=True))
    else:
        signals["probability"] = signals["confidence"] = p[label]
        signals["margin"] = logits[label] - max(z for k, z in enumerate(logits) if k != label)
    return signals


def _with_gradients(case: Case, random: np.random.Generator) -> Case:
    """The case with a model of its own, and the signals that read its gradients."""
    loss, logits, label = case["loss"], case["logits"], case["label"]
    jacobian = torch.tensor(random.normal(0, 2, (len(logits), PARAMETERS)))
    direction = torch.tensor(random.normal(0, 1, PARAMETERS))
    tangent = jacobian @ direction
    reference = round(float(random.uniform(0, 2)), 3)
    expected = dict(case["expected"]) | {"sensitivity": norm_of(jacobian)}
    if len(logits) == 1 or isinstance(label, int):
        expected["tangent"] = float(tangent[0 if len(logits) == 1 else label])
    if loss != "mse":
        chances = [math.exp(value) for value in _log_probabilities(logits)]
        norms = [
            norm_of(_parameter_gradient(loss, logits, y, jacobian)) for y in range(len(chances))
        ]
        expected["expected_grad_norm"] = math.fsum(
            p * n for p, n in zip(chances, norms, strict=True)
        )
    if label is not None:
        gradient = _parameter_gradient(loss, logits, label, jacobian)
        expected |= gradient_signals(gradient, direction)
        expected["rho"] = expected["loss"] - reference
    return case | {
        "gram": (jacobian @ jacobian.T).flatten().tolist(),
        "tangent": tangent.tolist(),
        "direction_norm": norm_of(direction),
        "reference_loss": reference,
        "expected": expected,
    }


def _parameter_gradient(
    loss: str, logits: list[float], label: Any, jacobian: torch.Tensor
) -> torch.Tensor:
    theta = torch.zeros(PARAMETERS, dtype=torch.float64, requires_grad=True)
    z = torch.tensor(logits, dtype=torch.float64) + jacobian @ theta
    (gradient,) = torch.autograd.grad(_value(loss, z, label), theta)
    return gradient


def loss_and_gradient(loss: str, logits: list[float], label: Any) -> tuple[float, list[float]]:
    """The loss of one sample and its gradient by the logits (K), by autograd in float64."""
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = _value(loss, z, label)
    (gradient,) = torch.autograd.grad(value, z)
    amount = float(value.detach())
    _agrees_with_torch(loss, logits, label, amount, gradient)
    return amount, [float(g) for g in gradient]


def _value(loss: str, z: torch.Tensor, label: Any) -> torch.Tensor:
    if loss == "mse":
        squared: torch.Tensor = (z[0] - label) ** 2
        return squared
    if loss == "bce":
        return weighted([(1 - label, z[0]), (label, -z[0])])
    if isinstance(label, list):
        return weighted([(y, rivals(z, k)) for k, y in enumerate(label)])
    return weighted([(1.0, rivals(z, label))])


def _log_probabilities(logits: list[float]) -> list[float]:
    """log p of each class; one logit stands for the two classes (0, z)."""
    z = torch.tensor([0.0, *logits] if len(logits) == 1 else logits, dtype=torch.float64)
    return [float(functional.logsigmoid(-rivals(z, k))) for k in range(len(z))]


def _agrees_with_torch(
    loss: str, logits: list[float], label: Any, value: float, gradient: torch.Tensor
) -> None:
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    if loss == "cross_entropy":
        target = torch.tensor(label, dtype=torch.float64 if isinstance(label, list) else torch.long)
        reference = functional.cross_entropy(z[None], target[None])
    elif loss == "bce":
        target = torch.tensor([label], dtype=torch.float64)
        reference = functional.binary_cross_entropy_with_logits(z, target)
    else:
        reference = functional.mse_loss(z, torch.tensor([label], dtype=torch.float64))
    (expected,) = torch.autograd.grad(reference, z)
    torch.testing.assert_close(value, float(reference.detach()), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)


def _rounded(value: float) -> float:
    """A float32 value, as a model's logit is."""
    return float(np.float32(value))


def _squared(random: np.random.Generator) -> float:
    return _rounded(random.choice([0.0, random.uniform(0, 1), random.uniform(1, 400)]))
