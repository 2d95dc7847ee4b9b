"""Scores of tokens with relative positions, with their pull-back (He et al., arXiv:2006.03654).

A score of query q and key k reads the distance q − k. Products are made with every distance that T
tokens have, 2·T − 1 of them, and shifted so that each pair finds its own: no index is looked up,
and the pull-back shifts back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AtTokens:
    """Gradients at queries and keys, (B, heads, rows, size), and at the keys and queries of D
    positions, (B, heads, D, size). None where the attention has none."""

    queries: Tensor | None
    keys: Tensor | None
    position_keys: Tensor | None
    position_queries: Tensor | None


Related = tuple[Tensor, Callable[[Tensor], AtTokens]]


def relate_all(
    queries: Tensor, keys: Tensor, position_keys: Tensor | None, position_queries: Tensor | None
) -> Related:
    """Scores (B, heads, T, T) of queries and keys (B, heads, T, size) with positions.

    `position_keys` (heads, 2·T − 1, size) begin with the distance T − 1 and fall to 1 − T,
    `position_queries` rise.
    """
    scores = torch.zeros(())
    if position_keys is not None:
        scores = scores + _shift(torch.matmul(queries, position_keys.transpose(1, 2)))
    if position_queries is not None:
        of_keys = _shift(torch.matmul(keys, position_queries.transpose(1, 2)))
        scores = scores + of_keys.transpose(2, 3)

    def pull_back(gradients: Tensor) -> AtTokens:
        at_queries = at_keys = at_position_keys = at_position_queries = None
        if position_keys is not None:
            spread = _shift_back(gradients)
            at_queries = torch.matmul(spread, position_keys)
            at_position_keys = torch.matmul(spread.transpose(2, 3), queries)
        if position_queries is not None:
            spread = _shift_back(gradients.transpose(2, 3))
            at_keys = torch.matmul(spread, position_queries)
            at_position_queries = torch.matmul(spread.transpose(2, 3), keys)
        return AtTokens(at_queries, at_keys, at_position_keys, at_position_queries)

    return scores, pull_back


def relate_first(
    queries: Tensor, keys: Tensor, position_keys: Tensor | None, position_queries: Tensor | None
) -> Related:
    """Scores (B, heads, 1, T) of the first token's query (B, heads, 1, size).

    The positions' keys and queries (heads, T, size) are of the distances 0, −1, ..., 1 − T.
    """
    scores = torch.zeros(())
    if position_keys is not None:
        scores = scores + torch.matmul(queries, position_keys.transpose(1, 2))
    if position_queries is not None:
        scores = scores + (keys * position_queries).sum(-1).unsqueeze(2)

    def pull_back(gradients: Tensor) -> AtTokens:
        at_queries = at_keys = at_position_keys = at_position_queries = None
        by_token = gradients.transpose(2, 3)  # (B, heads, T, 1)
        if position_keys is not None:
            at_queries = torch.matmul(gradients, position_keys)
            at_position_keys = by_token * queries
        if position_queries is not None:
            at_keys, at_position_queries = by_token * position_queries, by_token * keys
        return AtTokens(at_queries, at_keys, at_position_keys, at_position_queries)

    return scores, pull_back


def _shift(products: Tensor) -> Tensor:
    """(…, T, 2·T − 1) to (…, T, T): row q, column T − 1 − q + k to row q, column k.

    With a column more, that is place (2·T − 1)·q + T − 1 + k of the flattened rows.
    """
    batch, heads, tokens, width = products.shape
    wider = torch.cat([products, products[..., :1]], dim=3).reshape(batch, heads, -1)
    return wider[..., tokens - 1 : -1].reshape(batch, heads, tokens, width)[..., :tokens]


def _shift_back(gradients: Tensor) -> Tensor:
    """The pull-back of `_shift`: (…, T, T) to (…, T, 2·T − 1)."""
    batch, heads, tokens, _ = gradients.shape
    zeros = gradients * 0
    wider = torch.cat([gradients, zeros[..., 1:]], dim=3).reshape(batch, heads, -1)
    ends = zeros[:, :, 0]  # (…, T): T − 1 before, one after
    flat = torch.cat([ends[..., 1:], wider, ends[..., :1]], dim=2)
    return flat.reshape(batch, heads, tokens, -1)[..., :-1]
