"""The signals of histories over checkpoints, from numpy and PyTorch in float64.

Each case follows the papers, checkpoint by checkpoint: confidence and its deviation (Swayamdipta et
al. 2020), the area under the margin (Pleiss et al. 2020), forgetting events (Toneva et al. 2019).
Logits are rounded to float16 first, as a dataset keeps them. Some histories are longer than the 16
checkpoints that a dataset keeps apart, and some swing around the decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Case = dict[str, Any]
CHECKPOINTS = (1, 2, 5, 16, 17, 40)


def make_history() -> list[Case]:
    """One case per history and label: `{loss, logits (C K), label, expected}`.

    `label` is a class index, or for one logit a soft label, or K probabilities. `expected` lacks
    the signals that need a hard label when the label is soft.
    """
    random = np.random.default_rng(20261130)
    cases = []
    for count in CHECKPOINTS:
        for centre, spread in ((0.0, 1.0), (-3.0, 2.0), (0.0, 30.0)):
            one = random.normal(centre, spread, (count, 1)).astype(np.float16)
            many = random.normal(centre, spread, (count, 3)).astype(np.float16)
            soft = round(float(random.uniform(0.05, 0.95)), 3)
            for label in (0, 1, soft):
                cases.append(_case("bce", one.astype(np.float64), label))
            targets: list[int | list[float]] = [0, 2, [0.25, 0.5, 0.25]]
            for target in targets:
                cases.append(_case("cross_entropy", many.astype(np.float64), target))
    return cases


def _case(loss: str, logits: np.ndarray, label: Any) -> Case:
    z = torch.tensor(logits)
    if loss == "bce":
        p = torch.sigmoid(z[:, 0])
        confidence = (label * p + (1 - label) * (1 - p)).numpy()
        hard = label in (0, 1)
        margin = (2 * label - 1) * logits[:, 0]
        right = (logits[:, 0] > 0).astype(int) == label
    else:
        hard = not isinstance(label, list)
        p = torch.softmax(z, dim=1)
        target = np.eye(3)[label] if hard else np.array(label)
        confidence = (p.numpy() * target).sum(axis=1)
        if hard:
            others = np.delete(logits, label, axis=1)
            margin = logits[:, label] - others.max(axis=1)
            right = logits.argmax(axis=1) == label
    expected = {"mean_confidence": float(np.mean(confidence))}
    if hard or loss == "bce":
        expected["variability"] = float(np.std(confidence))
    if hard:
        expected["aum"] = float(np.mean(margin))
        expected["forgetting"] = int(np.sum(right[:-1] & ~right[1:]))
    return {"loss": loss, "logits": logits.tolist(), "label": label, "expected": expected}
