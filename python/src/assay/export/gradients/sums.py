"""The sum of gradients over a batch, Σ_i Σ_k c_ik ∇z_ik, one tensor for each parameter.

Backpropagation is linear: started from the coefficients c (B, K) at the logits, one pull-back gives
the places of the whole sum, whatever K is.
"""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from assay.export.gradients.places import (
    HeadProduct,
    LookUp,
    Place,
    Places,
    Product,
    Scaling,
    parameters_of,
)


def summed_gradients(places: Places) -> dict[int, Tensor]:
    """By the id of each parameter its gradient, summed over the batch, in its shape."""
    found: dict[int, Tensor] = {}
    # The outputs written last are computed first, and so let go of what they read (see terms.py).
    for place in reversed(places):
        for parameter, part in zip(parameters_of(place), _sums(place), strict=True):
            known = found.get(id(parameter))
            found[id(parameter)] = part if known is None else known + part
    return found


def _sums(place: Place) -> list[Tensor]:
    """One gradient, summed over the batch, for each of `parameters_of(place)`."""
    match place:
        case Product(weight, bias, inputs, gradients):
            of_weight = [] if weight is None else [torch.mm(gradients.t(), inputs)]
            return of_weight if bias is None else [*of_weight, gradients.sum(0)]
        case HeadProduct():
            return _head_product(place)
        case Scaling(weight, bias, products, gradients):
            of_weight = [] if weight is None else [products.sum(0)]
            return of_weight if bias is None else [*of_weight, gradients.sum(0)]
        case LookUp():
            return [_look_up(place)]
        case unknown:
            assert_never(unknown)


def _head_product(place: HeadProduct) -> list[Tensor]:
    """Σ_b G_bh A_bhᵀ for each head, and Σ_b G_bh a_bh, a being the sums."""
    found = []
    if place.weight is not None:
        weight = torch.matmul(place.gradients.permute(1, 2, 0), place.inputs.transpose(0, 1))
        found.append(weight.flatten(0, 1))
    if place.bias is not None:
        found.append((place.gradients * place.sums).sum(0).flatten())
    return found


def _look_up(place: LookUp) -> Tensor:
    gradients = place.gradients
    if place.table.padding_idx is not None:
        real = (place.ids != place.table.padding_idx).reshape(-1, 1)
        gradients = gradients * real.to(gradients.dtype)
    count, width = place.table.weight.shape
    # a shape that is not constant keeps the tracer from writing the zeros into the graph
    zeros = gradients.new_zeros((count + 0 * gradients.shape[0], width))
    # becomes ScatterElements: ScatterND loses summands of repeated ids where it runs in parallel
    return zeros.scatter_add(0, place.ids.reshape(-1, 1).expand(-1, width), gradients)
