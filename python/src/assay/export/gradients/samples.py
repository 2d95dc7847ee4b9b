"""The gradients of each sample, formed: dear, and only for parameters that enter several times."""

from __future__ import annotations

import torch
from torch import Tensor

from assay.export.gradients.places import HeadProduct, LookUp, Place, Product


def sample_gradients(place: Place, batch: int) -> list[Tensor]:
    """One gradient (B, *shape) for each of `parameters_of(place)`; `batch` is B."""
    if isinstance(place, HeadProduct):
        weight = torch.matmul(place.gradients.unsqueeze(3), place.inputs.unsqueeze(2))
        return [weight.flatten(1, 2), (place.gradients * place.sums).flatten(1)]
    gradients = place.gradients.reshape(batch, -1, place.gradients.shape[1])
    if isinstance(place, Product):
        inputs = place.inputs.reshape(batch, -1, place.inputs.shape[1])
        return [torch.matmul(gradients.transpose(1, 2), inputs), gradients.sum(1)]
    if isinstance(place, LookUp):
        rows = torch.arange(place.table.weight.shape[0])
        chosen = place.ids.unsqueeze(1) == rows.unsqueeze(1)  # (B, rows, T)
        if place.table.padding_idx is not None:
            chosen = chosen & (place.ids != place.table.padding_idx).unsqueeze(1)
        return [torch.matmul(chosen.to(gradients.dtype), gradients)]
    products = place.products.reshape(batch, -1, place.products.shape[1])
    return [products.sum(1), gradients.sum(1)]
