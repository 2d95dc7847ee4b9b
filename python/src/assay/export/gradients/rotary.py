"""Attention whose queries and keys are turned by their positions (RoPE), with its pull-back.

Su et al., arXiv:2104.09864. Turning is linear and keeps lengths, so its pull-back turns back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from assay.export.gradients.attention import pull_softmax
from assay.export.modern_bert import ModernLayer


class Rotation:
    """The angles of positions (T) for one kind of layer, and which tokens see each other."""

    def __init__(self, positions: Tensor, frequencies: Tensor, window: int | None) -> None:
        angles = positions.to(frequencies.dtype).unsqueeze(1) * frequencies
        angles = torch.cat([angles, angles], dim=1)  # (T, size)
        self.cosines, self.sines = angles.cos(), angles.sin()
        self.positions, self.window = positions, window

    def turn(self, heads: Tensor) -> Tensor:
        """Queries or keys (B, heads, T, size)."""
        return heads * self.cosines + _quarter(heads) * self.sines

    def turn_back(self, gradients: Tensor) -> Tensor:
        """The gradient at what `turn` takes, from that at what it gives."""
        return gradients * self.cosines - _quarter(gradients * self.sines)

    def hide(self, bias: Tensor) -> Tensor:
        """The bias of scores (B, 1, 1, T) or, with a window, (B, 1, T, T)."""
        if self.window is None:
            return bias
        distances = (self.positions.unsqueeze(1) - self.positions.unsqueeze(0)).abs()
        return bias + (distances > self.window).to(bias.dtype) * -1e9


def attend_rotated(
    layer: ModernLayer, products: Tensor, bias: Tensor, rotation: Rotation, *, at_first_only: bool
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Attention of every token over its sample, or of the first: (B·T, 3·H) to (B·T, H) or (B, H).

    `bias` (B, 1, 1, T) is 0 at tokens and very negative at padding. The pull-back gives the
    gradient at the products.
    """
    batch, width = bias.shape[0], layer.heads * layer.head_size
    scale = layer.head_size**-0.5
    parts = products.reshape(batch, -1, 3, layer.heads, layer.head_size).permute(2, 0, 3, 1, 4)
    queries, keys, values = rotation.turn(parts[0]), rotation.turn(parts[1]), parts[2]
    hidden = rotation.hide(bias)
    if at_first_only:
        queries, hidden = queries[:, :, :1], hidden[:, :, :1]
    scores = torch.matmul(queries, keys.transpose(2, 3)) * scale
    attention = torch.softmax(scores + hidden, dim=-1)

    def pull_back(gradients: Tensor) -> Tensor:
        at_context = gradients.reshape(batch, -1, layer.heads, layer.head_size).transpose(1, 2)
        at_attention = torch.matmul(at_context, values.transpose(2, 3))
        at_scores = pull_softmax(attention, at_attention) * scale
        at_queries = torch.matmul(at_scores, keys)
        at_keys = rotation.turn_back(torch.matmul(at_scores.transpose(2, 3), queries))
        if at_first_only:
            others = torch.zeros_like(at_keys[:, :, 1:])
            at_queries = torch.cat([at_queries, others], dim=2)
        at_values = torch.matmul(attention.transpose(2, 3), at_context)
        ways = torch.stack([rotation.turn_back(at_queries), at_keys, at_values])
        return ways.permute(1, 3, 0, 2, 4).reshape(-1, 3 * width)

    context = torch.matmul(attention, values).transpose(1, 2).reshape(-1, width)
    return context, pull_back


def _quarter(heads: Tensor) -> Tensor:
    """Each pair of coordinates (x, y), half a head apart, to (−y, x)."""
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)
