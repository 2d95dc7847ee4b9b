"""The places where parameters enter the network, each with what its gradient is made of.

A gradient with respect to a weight is never formed for a sample: it is a sum of outer products, and
each formula that reads it (grams.py, tangents.py, sums.py) works on the factors kept here.
Rows are (B·T) tokens in the samples' order, or (B) where one token of a sample is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from torch import Tensor, nn


@dataclass(frozen=True)
class Product:
    """outputs = inputs Wᵀ + b, or without b. Holds inputs (rows, in) and the gradients at outputs
    (rows, out)."""

    layer: nn.Linear
    inputs: Tensor
    gradients: Tensor


@dataclass(frozen=True)
class HeadProduct:
    """A Linear whose gradient is one outer product a head and a sample: ∇W_h = G_h A_hᵀ.

    W_h are the rows of W that head h owns, and A_h = Σ_t a_ht x_t a mix of the sample's tokens.
    Holds inputs A (B, heads, in), sums Σ_t a_ht (B, heads, 1), with which ∇b_h = G_h Σ_t a_ht, and
    gradients G (B, heads, out/heads).
    """

    layer: nn.Linear
    inputs: Tensor
    sums: Tensor
    gradients: Tensor


@dataclass(frozen=True)
class Scaling:
    """outputs = normed ∘ w + b, or without b. Holds normed ∘ gradients, and gradients at outputs:
    (rows, d)."""

    layer: nn.LayerNorm
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
    """A table (rows, d), a Linear's weight (out, in) and bias (out), or a norm's (d) and (d).

    A layer without a bias has its weight alone.
    """
    match place:
        case Product(layer=layer) | HeadProduct(layer=layer) | Scaling(layer=layer):
            return [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        case LookUp(table=table):
            return [table.weight]
        case unknown:
            assert_never(unknown)
