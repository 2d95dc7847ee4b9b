"""What is computed of a sample."""

from __future__ import annotations

from typing import Literal, TypedDict

Loss = Literal["bce", "cross_entropy", "mse", "pairwise", "listwise"]
Precision = Literal["fp32", "int8"]
Signal = Literal[
    "loss",
    "probability",
    "margin",
    "entropy",
    "confidence",
    "el2n",
    "grad_norm_last",
    "grad_norm",
    "sensitivity",
    "expected_grad_norm",
    "influence",
    "alignment",
    "tangent",
    "rho",
    "learned",
]
# Those that a dataset keeps too: the last four are of a history of checkpoints.
KeptSignal = Literal[Signal, "mean_confidence", "variability", "aum", "forgetting"]


class SignalValues(TypedDict, total=False):
    """Signals of one sample: those that were asked for."""

    loss: float
    probability: float
    margin: float
    entropy: float
    confidence: float
    el2n: float
    grad_norm_last: float
    grad_norm: float
    sensitivity: float
    expected_grad_norm: float
    influence: float
    alignment: float
    tangent: float
    rho: float
    learned: float


class KeptSignalValues(SignalValues, total=False):
    """Signals that a dataset keeps of one sample."""

    mean_confidence: float
    variability: float
    aum: float
    forgetting: float
