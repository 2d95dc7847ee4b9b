"""Two means of weighted losses."""

from __future__ import annotations

import torch
from torch import Tensor


def weighted_mean(losses: Tensor, multipliers: Tensor) -> Tensor:
    """(1/B) Σ m_i ℓ_i of losses (B) and multipliers (B): the mean to train with.

    It is unbiased: over rows drawn with p and m = 1/(N p), its expectation is the mean loss of the
    dataset, in a batch of any size.

    Raises:
        ValueError: losses and multipliers are not one number for each sample.
    """
    return (losses * _fitting(losses, multipliers)).mean()


def self_normalised_mean(losses: Tensor, multipliers: Tensor) -> Tensor:
    """Σ m_i ℓ_i / Σ m_i of losses (B) and multipliers (B): **biased** in small batches.

    The batch's own multipliers divide it, so it varies less, and its expectation is not the mean
    loss: the bias falls as 1/B. Multipliers that are only known up to a factor need it.

    Raises:
        ValueError: losses and multipliers are not one number for each sample.
    """
    fitting = _fitting(losses, multipliers)
    return (losses * fitting).sum() / fitting.sum()


def _fitting(losses: Tensor, multipliers: Tensor) -> Tensor:
    if losses.ndim != 1 or losses.shape != multipliers.shape:
        raise ValueError(
            f"losses have the shape {tuple(losses.shape)} and multipliers "
            f"{tuple(multipliers.shape)}: give one of each for each sample (compute the loss with "
            'reduction="none")'
        )
    return multipliers.to(losses.device, torch.promote_types(losses.dtype, torch.float32))
