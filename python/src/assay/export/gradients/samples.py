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
)


def sample_gradients(place: Place, batch: int) -> list[Tensor]:
    """One gradient (B, *shape) for each of `parameters_of(place)`; `batch` is B."""

    def by_sample(rows: Tensor) -> Tensor:  # (B·T, n) to (B, T, n)
        return rows.reshape(batch, -1, rows.shape[1])

    match place:
        case Product(weight, bias, inputs, gradients):
            at_outputs = by_sample(gradients)
            outer = torch.matmul(at_outputs.transpose(1, 2), by_sample(inputs))
            found = [(weight, outer), (bias, at_outputs.sum(1))]
        case HeadProduct(weight, bias, inputs, sums, gradients):
            outer = torch.matmul(gradients.unsqueeze(3), inputs.unsqueeze(2)).flatten(1, 2)
            found = [(weight, outer), (bias, (gradients * sums).flatten(1))]
        case Scaling(weight, bias, products, gradients):
            found = [(weight, by_sample(products).sum(1)), (bias, by_sample(gradients).sum(1))]
        case LookUp(table, ids, gradients):
            chosen = ids.unsqueeze(1) == torch.arange(table.weight.shape[0]).unsqueeze(1)
            if table.padding_idx is not None:
                chosen = chosen & (ids != table.padding_idx).unsqueeze(1)
            # (B, rows of the table, T) by (B, T, d)
            return [torch.matmul(chosen.to(gradients.dtype), by_sample(gradients))]
        case unknown:
            assert_never(unknown)
    return [gradient for parameter, gradient in found if parameter is not None]
