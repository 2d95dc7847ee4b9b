"""The places where parameters enter the network, each with what its gradient is made of.

A gradient with respect to a weight is never formed for a sample: it is a sum of outer products, and
each formula that reads it (grams.py, tangents.py, sums.py) works on the factors kept here.
`weight` and `bias` are the parameters; None where the layer has none or the gradient is not wanted.
Rows are (B·T) tokens in the samples' order, or (B) where one token of a sample is left.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import assert_never

from torch import Tensor, nn


@dataclass(frozen=True)
class Product:
    """outputs = inputs Wᵀ + b, or without b. Holds inputs (rows, in) and the gradients at outputs
    (rows, out)."""

    weight: Tensor | None
    bias: Tensor | None
    inputs: Tensor
    gradients: Tensor


@dataclass(frozen=True)
class HeadProduct:
    """A Linear whose gradient is one outer product a head and a sample: ∇W_h = G_h A_hᵀ.

    W_h are the rows of W that head h owns, and A_h = Σ_t a_ht x_t a mix of the sample's tokens.
    Holds inputs A (B, heads, in), sums Σ_t a_ht (B, heads, 1), with which ∇b_h = G_h Σ_t a_ht, and
    gradients G (B, heads, out/heads).
    """

    weight: Tensor | None
    bias: Tensor | None
    inputs: Tensor
    sums: Tensor
    gradients: Tensor


@dataclass(frozen=True)
class Scaling:
    """outputs = normed ∘ w + b, or without b. Holds normed ∘ gradients, and gradients at outputs:
    (rows, d)."""

    weight: Tensor | None
    bias: Tensor | None
    products: Tensor
    gradients: Tensor


@dataclass(frozen=True)
class LookUp:
    """outputs = table[ids]. Holds ids, int64 (B, T), and gradients at outputs (B·T, d).

    The row of the table's `padding_idx`, if it has one, gets no gradient, as in PyTorch.
    """

    table: nn.Embedding
    ids: Tensor
    gradients: Tensor


Place = Product | HeadProduct | Scaling | LookUp
Places = list[Place]


def parameters_of(place: Place) -> list[Tensor]:
    """A table (rows, d), or a Linear's weight (out, in) and bias (out), or a norm's (d) and (d)."""
    match place:
        case Product() | HeadProduct() | Scaling():
            return [part for part in (place.weight, place.bias) if part is not None]
        case LookUp(table=table):
            return [table.weight]
        case unknown:
            assert_never(unknown)


def wanted_places(places: Places, wanted: Collection[int]) -> Places:
    """The places of the parameters with these ids. A parameter that is not wanted is None there."""

    def kept(parameter: Tensor | None) -> Tensor | None:
        return parameter if id(parameter) in wanted else None

    found: Places = []
    for place in places:
        if not any(id(parameter) in wanted for parameter in parameters_of(place)):
            continue
        if isinstance(place, LookUp):
            found.append(place)
        else:
            found.append(replace(place, weight=kept(place.weight), bias=kept(place.bias)))
    return found
