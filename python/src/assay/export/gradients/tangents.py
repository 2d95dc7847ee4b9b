"""The inner product of a logit's gradient with a direction v in parameter space, for every sample.

Each formula takes one place as one logit sees it and the direction's part for it, and gives its
share of ⟨∇z, v⟩, (B). No gradient is formed: Σ_t G_t·(V A_t + v_b), where V A_t + v_b is how the
place's output would move along v.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from assay.export.gradients.places import HeadProduct, LookUp, Place, Places, Product, Scaling

Direction = Callable[[Tensor], Tensor]  # of a parameter's shape


def tangent_shares(views: Sequence[Places], direction: Direction, batch: int) -> list[Tensor]:
    """What each place adds to ⟨∇z_k, v⟩, (B, K), from the places as each of the K logits sees them.

    `batch` is B.
    """
    return [
        torch.stack([_share(place, direction, batch) for place in seen], dim=1)
        for seen in zip(*views, strict=True)
    ]


def _share(place: Place, direction: Direction, batch: int) -> Tensor:
    if isinstance(place, Product):
        moved = nn.functional.linear(
            place.inputs, direction(place.layer.weight), direction(place.layer.bias)
        )
        return _inner(moved, place.gradients, batch)
    if isinstance(place, HeadProduct):
        return _head_product(place, direction)
    if isinstance(place, Scaling):
        weight, bias = direction(place.layer.weight), direction(place.layer.bias)
        moved = torch.mm(place.products, weight.unsqueeze(1))
        moved = torch.addmm(moved, place.gradients, bias.unsqueeze(1))
        return moved.reshape(batch, -1).sum(1)
    return _look_up(place, direction, batch)


def _head_product(place: HeadProduct, direction: Direction) -> Tensor:
    """Σ_h G_h·(V_h A_h + v_h a_h), a being the sums."""
    heads, size = place.gradients.shape[1:]
    weight = direction(place.layer.weight).reshape(heads, size, -1)
    moved = torch.matmul(place.inputs.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)
    moved = moved + direction(place.layer.bias).reshape(heads, size) * place.sums
    return (place.gradients * moved).sum((1, 2))


def _look_up(place: LookUp, direction: Direction, batch: int) -> Tensor:
    """Σ_t [id_t ≠ padding] G_t·V[id_t]."""
    moved = direction(place.table.weight)[place.ids]  # (B, T, d)
    if place.table.padding_idx is not None:
        moved = moved * (place.ids != place.table.padding_idx).unsqueeze(2).to(moved.dtype)
    return _inner(moved.reshape(place.gradients.shape), place.gradients, batch)


def _inner(moved: Tensor, gradients: Tensor, batch: int) -> Tensor:
    """Σ over each sample's rows, from (rows, d) twice: (B)."""
    return (moved * gradients).reshape(batch, -1).sum(1)
