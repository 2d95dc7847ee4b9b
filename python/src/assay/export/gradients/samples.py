"""The gradients of each sample, formed: costly, and needed only by tied parameters."""

from __future__ import annotations

from typing import assert_never

import torch
from torch import Tensor

from assay.export.gradients.places import (
    HeadProduct,
    LookUp,
    Place,
    Product,
    Scaling,
    parameters_of,
)


def sample_gradients(place: Place, batch: int) -> list[Tensor]:
    """One gradient (B, *shape) for each of `parameters_of(place)`; `batch` is B."""

    def by_sample(rows: Tensor) -> Tensor:  # (B·T, n) to (B, T, n)
        return rows.reshape(batch, -1, rows.shape[1])

    count = len(parameters_of(place))
    match place:
        case Product(_, inputs, gradients):
            at_outputs = by_sample(gradients)
            weight = torch.matmul(at_outputs.transpose(1, 2), by_sample(inputs))
            return [weight, at_outputs.sum(1)][:count]
        case HeadProduct(_, inputs, sums, gradients):
            weight = torch.matmul(gradients.unsqueeze(3), inputs.unsqueeze(2))
            return [weight.flatten(1, 2), (gradients * sums).flatten(1)]
        case Scaling(_, products, gradients):
            return [by_sample(products).sum(1), by_sample(gradients).sum(1)][:count]
        case LookUp(table, ids, gradients):
            chosen = ids.unsqueeze(1) == torch.arange(table.weight.shape[0]).unsqueeze(1)
            if table.padding_idx is not None:
                chosen = chosen & (ids != table.padding_idx).unsqueeze(1)
            # (B, rows of the table, T) by (B, T, d)
            return [torch.matmul(chosen.to(gradients.dtype), by_sample(gradients))]
        case unknown:
            assert_never(unknown)
