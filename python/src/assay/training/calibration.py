"""Probabilities that mean what they say: Platt's scaling and how far off a model is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.linear_model import LogisticRegression
from transformers import BertForSequenceClassification

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """A logit z becomes slope · z + shift; slope is above 0, so the order of scores stays."""

    slope: float
    shift: float


def platt(answers: Floats, labels: Floats) -> Scale:
    """The scale for which the sigmoid of logits `answers` (pairs,) fits soft `labels` (pairs,) best
    in cross-entropy (Platt, 1999). Raises ValueError where the logits do not rise with the labels.
    """
    twice = np.concatenate([answers, answers])[:, None]
    classes = np.repeat([1, 0], len(labels))
    weights = np.concatenate([labels, 1 - labels])
    fitted = LogisticRegression(C=1e6).fit(twice, classes, sample_weight=weights)
    slope, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        raise ValueError("the scores do not rise with the labels; nothing to calibrate")
    return Scale(slope, shift)


def scale_head(model: BertForSequenceClassification, scale: Scale) -> None:
    """Build `scale` into the last layer of `model`."""
    with torch.no_grad():
        model.classifier.weight.mul_(scale.slope)
        model.classifier.bias.mul_(scale.slope).add_(scale.shift)


def calibration_error(answers: Floats, labels: Floats, bins: int = 10) -> float:
    """Expected calibration error (Guo et al., 2017) of logits (pairs,): over `bins` bins of equal
    width, the distance of the mean probability from the mean soft label, weighted by size."""
    probabilities = 1 / (1 + np.exp(-answers))
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = np.abs(np.bincount(place, probabilities - labels, minlength=bins))
    return float(gaps.sum() / len(labels))
