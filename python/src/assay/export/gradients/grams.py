"""The gram of the logits' gradients, Γ_kl = ⟨∇z_k, ∇z_l⟩ over all parameters, for every sample.

Each formula takes one place as the K logits see it and gives its term of Γ, (B, K, K). As squared
norms they are Goodfellow's (arXiv:1510.01799) for one row a sample and ghost norms (Li et al.,
arXiv:2110.05679) for many; inner products follow alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
from assay.export.gradients.samples import sample_gradients


def gram_terms(views: Sequence[Places], batch: int) -> list[Tensor | None]:
    """What each place adds to Γ, (B, K·K), from the places as each of the K logits sees them.

    `batch` is B. A parameter that enters at several places has the sum of their gradients, whose
    gram has cross terms: there, and only there, the gradients of each sample are formed. The last
    of these places has the term of all, the others have none.
    """
    uses = Counter(id(p) for place in views[0] for p in parameters_of(place))
    seen_by_all = list(zip(*views, strict=True))
    tied = [any(uses[id(p)] > 1 for p in parameters_of(seen[0])) for seen in seen_by_all]
    left = sum(tied)
    terms: list[Tensor | None] = []
    for seen, is_tied in zip(seen_by_all, tied, strict=True):
        left -= is_tied
        if not is_tied:
            terms.append(_term(seen, batch).reshape(-1, len(views) ** 2))
        elif left > 0:
            terms.append(None)
        else:
            together = [s for s, with_others in zip(seen_by_all, tied, strict=True) if with_others]
            terms.append(_tied(together, batch).reshape(-1, len(views) ** 2))
    return terms


def _term(seen: Sequence[Place], batch: int) -> Tensor:
    gradients = [place.gradients for place in seen]
    match seen[0]:
        case Product(weight=None):
            return _scaling([_all_by_sample(gradients, batch)])
        case Product(bias=bias, inputs=inputs):
            biased = bias is not None
            return _product(_by_sample(inputs, batch), _all_by_sample(gradients, batch), biased)
        case HeadProduct():
            return _head_product([place for place in seen if isinstance(place, HeadProduct)])
        case Scaling(weight, bias):
            ways = []
            if weight is not None:
                ways.append([place.products for place in seen if isinstance(place, Scaling)])
            if bias is not None:
                ways.append(gradients)
            return _scaling([_all_by_sample(way, batch) for way in ways])
        case LookUp() as place:
            return _look_up(place, _all_by_sample(gradients, batch))
        case unknown:
            assert_never(unknown)


def _product(inputs: Tensor, gradients: Sequence[Tensor], biased: bool) -> Tensor:
    """Σ_ts (A_t·A_s + 1) G_kt·G_ls, the 1 being the bias', from A (B, T, in), G_k (B, T, out)."""
    similar = torch.matmul(inputs, inputs.transpose(1, 2))
    return _weighted(similar + 1 if biased else similar, gradients)


def _look_up(place: LookUp, gradients: Sequence[Tensor]) -> Tensor:
    """Σ_ts [id_t = id_s ≠ padding] G_kt·G_ls, from ids (B, T) and G_k (B, T, d)."""
    ids = place.ids
    same = ids.unsqueeze(2) == ids.unsqueeze(1)
    if place.table.padding_idx is not None:
        same = same & (ids != place.table.padding_idx).unsqueeze(2)
    return _weighted(same.to(gradients[0].dtype), gradients)


def _weighted(weights: Tensor, gradients: Sequence[Tensor]) -> Tensor:
    """Σ_ts M_ts G_kt·G_ls, from M (B, T, T), symmetric, and K times G_k (B, T, d)."""
    if len(gradients) == 1:
        only = gradients[0]
        similar = torch.matmul(only, only.transpose(1, 2))
        return (weights * similar).sum((1, 2))
    stacked = torch.stack(list(gradients), dim=1)  # (B, K, T, d)
    spread = torch.matmul(weights.unsqueeze(1), stacked)
    return _inner(spread.flatten(2), stacked.flatten(2))


def _scaling(ways: Sequence[Sequence[Tensor]]) -> Tensor:
    """(Σ_t x̂_t∘G_kt)·(Σ_t x̂_t∘G_lt) of a weight, (Σ_t G_kt)·(Σ_t G_lt) of a bias, or both.

    A way is K times (B, T, d).
    """
    total = torch.zeros(())
    for parts in ways:
        stacked = torch.stack([part.sum(1) for part in parts], dim=1)
        total = total + _inner(stacked, stacked)
    return total


def _head_product(seen: Sequence[HeadProduct]) -> Tensor:
    """Σ_h (A_kh·A_lh + a_kh a_lh) (G_kh·G_lh), the second term being the bias', a its sums."""
    factors = []  # (B, heads, K, in) of the weight, (B, heads, K, 1) of the bias
    if seen[0].weight is not None:
        factors.append(torch.stack([place.inputs for place in seen], dim=2))
    if seen[0].bias is not None:
        factors.append(torch.stack([place.sums for place in seen], dim=2))
    gradients = torch.stack([place.gradients for place in seen], dim=2)
    weights = _inner(factors[0], factors[0])  # (B, heads, K, K)
    for factor in factors[1:]:
        weights = weights + _inner(factor, factor)
    return (weights * _inner(gradients, gradients)).sum(1)


def _tied(places: Sequence[Sequence[Place]], batch: int) -> Tensor:
    """⟨Σ_places ∇_k, Σ_places ∇_l⟩ for each parameter of these places."""
    sums: dict[int, list[Tensor]] = {}
    for seen in places:
        views = [sample_gradients(place, batch) for place in seen]
        for index, parameter in enumerate(parameters_of(seen[0])):
            new = [view[index] for view in views]
            old = sums.get(id(parameter))
            sums[id(parameter)] = (
                new if old is None else [a + b for a, b in zip(old, new, strict=True)]
            )
    total = torch.zeros(())
    for gradients in sums.values():
        stacked = torch.stack(gradients, dim=1).flatten(2)
        total = total + _inner(stacked, stacked)
    return total


def _inner(left: Tensor, right: Tensor) -> Tensor:
    """Inner products over the last axis: (…, K, n) twice to (…, K, K)."""
    return torch.matmul(left, right.transpose(-1, -2))


def _by_sample(rows: Tensor, batch: int) -> Tensor:
    return rows.reshape(batch, -1, int(rows.shape[1]))


def _all_by_sample(views: Sequence[Tensor], batch: int) -> list[Tensor]:
    return [_by_sample(rows, batch) for rows in views]
