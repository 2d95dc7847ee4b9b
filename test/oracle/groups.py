"""Signals under the losses of a group, pairwise and listwise, in float64 by torch autograd.

Each sample has a copy of its own of a model's parameters, z_i(theta_i) = z_i + J_i theta_i, so that
the gradient of the group's loss by theta_i is the sample's share of the group's gradient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

Case = dict[str, Any]
#: Parameters of the model that stands in for a ranker.
PARAMETERS = 6


def make_groups() -> list[Case]:
    """Cases `{loss, groups (N), logits (N), labels (N), features_squared (N), gram (N),
    tangent (N), direction_norm, reference_loss (N), expected: {signal: (N)}}`.

    A signal is null where its sample has no label.
    """
    random = np.random.default_rng(20261125)
    cases = []
    for groups, labels in _labelled_groups(random):
        drawn = [float(np.float32(z)) for z in random.normal(0, 3, len(groups))]
        for loss in ("pairwise", "listwise"):
            cases.append(_case(loss, groups, labels, drawn, random))
    for logits in (
        [40.0, 0.0, -1.0],
        [1e3, -1e3, 0.0],
        [-40.0, 20.0, 20.0],
        [1e30, 0.0, -1e30],
    ):
        for loss in ("pairwise", "listwise"):
            cases.append(_case(loss, ["q"] * 3, [3, 1, 0], logits, random))
    return cases


def _labelled_groups(random: np.random.Generator) -> list[tuple[list[str], list[Any]]]:
    return [
        (["a", "a", "a", "a"], [1, 0, 0, 1]),
        (
            ["a", "b", "a", "b", "c", "a"],
            [3, 1, 0, 0, 2, 1],
        ),  # interleaved; c has one sample
        (["a", "a", "a", "b", "b"], [2, 2, 2, 0, 0]),  # no contrast
        (["a", "a", "a", "a"], [1, None, 0, None]),  # two without a label
        (["a"] * 5, [0.25, 0.5, 0.25, 0.0, 1.0]),
        (["a"] * 20, [int(y) for y in random.integers(0, 4, 20)]),
    ]


def _case(
    loss: str,
    groups: list[str],
    labels: list[Any],
    logits: list[float],
    random: np.random.Generator,
) -> Case:
    count = len(groups)
    jacobian = torch.tensor(random.normal(0, 2, (count, PARAMETERS)))
    direction = torch.tensor(random.normal(0, 1, PARAMETERS))
    features_squared = [float(np.float32(x)) for x in random.uniform(0, 300, count)]
    references = [round(float(x), 3) for x in random.uniform(0, 2, count)]
    losses, gradients, shares = _group_gradients(loss, groups, labels, logits, jacobian)
    tangent = jacobian @ direction
    rows: list[dict[str, float]] = []
    for index, value in enumerate(losses):
        row = {
            "sensitivity": norm_of(jacobian[index]),
            "tangent": float(tangent[index]),
        }
        if value is not None:
            row |= {
                "loss": value,
                "grad_norm_last": abs(gradients[index]) * math.sqrt(features_squared[index] + 1),
                "rho": value - references[index],
                **gradient_signals(shares[index], direction),
            }
        rows.append(row)
    names = sorted({name for row in rows for name in row})
    return {
        "loss": loss,
        "groups": groups,
        "logits": logits,
        "labels": labels,
        "features_squared": features_squared,
        "gram": (jacobian**2).sum(dim=1).tolist(),
        "tangent": tangent.tolist(),
        "direction_norm": norm_of(direction),
        "reference_loss": references,
        "expected": {name: [row.get(name) for row in rows] for name in names},
    }


def _group_gradients(
    loss: str,
    groups: list[str],
    labels: list[Any],
    logits: list[float],
    jacobian: torch.Tensor,
) -> tuple[list[float | None], list[float], torch.Tensor]:
    """Of each sample its group's loss, its dL/dz, and its share of the gradient (N, PARAMETERS)."""
    losses: list[float | None] = [None] * len(groups)
    theta = torch.zeros_like(jacobian, requires_grad=True)
    z = torch.tensor(logits, dtype=torch.float64) + (jacobian * theta).sum(dim=1)
    total = 0 * z.sum()
    for group in dict.fromkeys(groups):
        members = [i for i, g in enumerate(groups) if g == group and labels[i] is not None]
        if not members:
            continue
        value = (pairwise if loss == "pairwise" else listwise)(
            z[members], [labels[i] for i in members]
        )
        total = total + value
        for index in members:
            losses[index] = float(value.detach())
    by_logits, by_theta = torch.autograd.grad(total, (z, theta))
    return losses, by_logits.tolist(), by_theta


def pairwise(z: torch.Tensor, y: list[float]) -> torch.Tensor:
    """The mean of -log sigmoid(z_i - z_j) over the pairs with y_i > y_j; 0 where there is none."""
    pairs = [(i, j) for i in range(len(y)) for j in range(len(y)) if y[i] > y[j]]
    if not pairs:
        return 0 * z.sum()
    return torch.stack([-functional.logsigmoid(z[i] - z[j]) for i, j in pairs]).mean()


def listwise(z: torch.Tensor, y: list[float]) -> torch.Tensor:
    """Cross-entropy of softmax(z) with y / sum y; 0 where all y are equal."""
    if len(set(y)) == 1:
        return 0 * z.sum()
    return weighted([(grade / sum(y), rivals(z, i)) for i, grade in enumerate(y)])


def weighted(terms: list[tuple[float, torch.Tensor]]) -> torch.Tensor:
    """The sum of y * log(1 + e^x) over (y, x): each x is how far the rivals lead."""
    parts = [-y * functional.logsigmoid(-x) for y, x in terms if y != 0]
    return torch.stack(parts).sum()


def rivals(z: torch.Tensor, label: int) -> torch.Tensor:
    """How far the other logits lead that of `label`: log sum_j e^(z_j - z_label)."""
    others = torch.cat([z[:label], z[label + 1 :]])
    return torch.logsumexp(others - z[label], dim=0)


def gradient_signals(gradient: torch.Tensor, direction: torch.Tensor) -> dict[str, float]:
    """What is read of one sample's gradient over all parameters (P) and a direction (P)."""
    norm = norm_of(gradient)
    influence = float(gradient @ direction)
    along = influence / (norm * norm_of(direction)) if norm > 0 else 0.0
    return {"grad_norm": norm, "influence": influence, "alignment": along}


def norm_of(vector: torch.Tensor) -> float:
    """Euclidean norm, also where the squares are too small for a double."""
    return math.hypot(*vector.flatten().tolist())
