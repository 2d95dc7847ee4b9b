"""The loss of a Hugging Face Trainer for sequence classification, with multipliers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from assay.client.answers.signals import Loss
from assay.integrations.carried import Carried
from assay.integrations.observations import IGNORED, FeatureNorms, Observe

SampleLosses = Callable[[Any, Tensor], Tensor]  # outputs and labels to losses (B)


class CarriedLoss:
    """The trainer's `compute_loss_func`: Σ m_i ℓ_i divided by the samples of the whole step.

    With a `compute_loss_func` the trainer counts the labels of all batches that are accumulated,
    over all ranks where it averages over them, and divides no further. So the gradient is that of
    one large batch, and the last step of an epoch, which may have fewer batches, is right too.
    """

    def __init__(self, sample_losses: SampleLosses, observe: Observe | None, model: Any) -> None:
        self.carried: Carried | None = None  # of the batch in work
        self._sample_losses = sample_losses
        self._observe = observe
        self._norms = FeatureNorms(model) if observe is not None else None

    def __call__(
        self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """The loss of a batch of outputs and labels (B)."""
        losses = self._sample_losses(outputs, labels)
        if losses.shape != (len(labels),):
            raise ValueError(
                f"the loss has the shape {tuple(losses.shape)}: give one loss for each sample"
            )
        if self.carried is not None:
            self._hand_on(self.carried.rows, outputs, labels)
            losses = losses * self.carried.tensor(losses)
        counted = (labels != IGNORED).sum().clamp(min=1)
        items: Any = counted if num_items_in_batch is None else num_items_in_batch
        if isinstance(items, Tensor):
            items = items.to(losses.device)
        mean: Tensor = losses.sum() / items
        return mean

    def _hand_on(self, rows: Sequence[int], outputs: Any, labels: Tensor) -> None:
        if self._observe is None or self._norms is None:
            return
        logits = logits_of(outputs)
        self._observe(rows, logits, labels, self._norms.take(len(rows)))


def sample_losses_of(loss: Loss, label_smoothing: float = 0.0) -> SampleLosses:
    """One loss for each sample, from outputs with logits (B, K) and labels (B).

    Raises:
        ValueError: the loss compares samples, or cannot be smoothed.
    """
    if label_smoothing and loss != "cross_entropy":
        raise ValueError(f"label_smoothing_factor is only for cross_entropy, not for {loss}")
    if loss == "cross_entropy":
        return lambda outputs, labels: functional.cross_entropy(
            logits_of(outputs).float(),
            labels,
            reduction="none",
            ignore_index=IGNORED,
            label_smoothing=label_smoothing,
        )
    compute: Callable[..., Tensor]
    if loss == "bce":
        compute = functional.binary_cross_entropy_with_logits
    elif loss == "mse":
        compute = functional.mse_loss
    else:
        raise ValueError(f"{loss} compares samples, so it has no loss for each of them")

    def losses(outputs: Any, labels: Tensor) -> Tensor:
        logits = logits_of(outputs).float().reshape(-1)
        # A label that does not count may be out of the loss's range.
        counts = labels != IGNORED
        targets = torch.where(counts, labels, 0).to(logits.dtype)
        return torch.where(counts, compute(logits, targets, reduction="none"), 0.0)

    return losses


def loss_of(config: Any) -> Loss:
    """The loss that a sequence classification model of Transformers computes itself.

    Raises:
        ValueError: it is one of several labels a sample.
    """
    kind = getattr(config, "problem_type", None)
    if kind == "multi_label_classification":
        raise ValueError("several labels a sample: pass sample_losses, one loss for each sample")
    if kind is None:
        kind = "regression" if config.num_labels == 1 else "single_label_classification"
    return "mse" if kind == "regression" else "cross_entropy"


def logits_of(outputs: Any) -> Tensor:
    """Logits (B, K) of a model's outputs."""
    found: Tensor = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
    return found
