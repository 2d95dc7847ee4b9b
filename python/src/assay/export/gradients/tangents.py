"""The inner product of a logit's gradient with a direction v in parameter space, for every sample.

Each formula takes one place as one logit sees it and the direction's part for it, and gives its
term of ⟨∇z, v⟩, (B). No gradient is formed: Σ_t G_t·(V A_t + v_b), where V A_t + v_b is how the
place's output would move along v.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

import torch
from torch import Tensor, nn

from assay.export.gradients.places import HeadProduct, LookUp, Place, Places, Product, Scaling

Direction = Callable[[Tensor], Tensor]  # of a parameter's shape


def tangent_terms(views: Sequence[Places], direction: Direction, batch: int) -> list[Tensor]:
    """What each place adds to ⟨∇z_k, v⟩, (B, K), from the places as each of the K logits sees them.

    `batch` is B.
    """
    return [
        torch.stack([_term(place, direction, batch) for place in seen], dim=1)
        for seen in zip(*views, strict=True)
    ]


def _term(place: Place, direction: Direction, batch: int) -> Tensor:
    match place:
        case Product(weight, bias, inputs, gradients):
            if weight is None:
                return _scaling([(gradients, bias)], direction, batch)
            along = None if bias is None else direction(bias)
            moved = nn.functional.linear(inputs, direction(weight), along)
            return _inner(moved, gradients, batch)
        case HeadProduct():
            return _head_product(place, direction)
        case Scaling(weight, bias, products, gradients):
            return _scaling([(products, weight), (gradients, bias)], direction, batch)
        case LookUp():
            return _look_up(place, direction, batch)
        case unknown:
            assert_never(unknown)


def _scaling(
    parts: Sequence[tuple[Tensor, Tensor | None]], direction: Direction, batch: int
) -> Tensor:
    """Σ_t R_t·v over the parts, each rows R (rows, d) and the parameter (d) of v, or none."""
    moved = None
    for rows, parameter in parts:
        if parameter is not None:
            along = direction(parameter).unsqueeze(1)
            moved = torch.mm(rows, along) if moved is None else torch.addmm(moved, rows, along)
    assert moved is not None
    return moved.reshape(batch, -1).sum(1)


def _head_product(place: HeadProduct, direction: Direction) -> Tensor:
    """Σ_h G_h·(V_h A_h + v_h a_h), a being the sums."""
    heads, size = place.gradients.shape[1:]
    moved = None
    if place.weight is not None:
        weight = direction(place.weight).reshape(heads, size, -1)
        moved = torch.matmul(place.inputs.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)
    if place.bias is not None:
        of_bias = direction(place.bias).reshape(heads, size) * place.sums
        moved = of_bias if moved is None else moved + of_bias
    assert moved is not None
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
