"""DeBERTa's attention of tokens and relative positions, with its pull-back."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from assay.export.deberta import DebertaLayer, DebertaNetwork
from assay.export.gradients.attention import pull_softmax
from assay.export.gradients.layers import PullBack, multiply, pull_norm
from assay.export.gradients.places import LookUp, Places, Product
from assay.export.gradients.relative import relate_all, relate_first


class Distances:
    """The rows of the table of relative positions that T tokens read, from distance 1 − T to T − 1.

    All samples share them, yet each has a gradient of its own at them: `rows` repeats them, and a
    layer that projects both tokens and positions has the rows of both in one place.
    """

    def __init__(self, network: DebertaNetwork, positions: Tensor, batch: int) -> None:
        """`positions` are 0, 1, ... (T), int64; `batch` is B."""
        self.table, self.norm = network.relative, network.relative_norm
        last = positions[-1:]
        distances = torch.cat([positions, positions[1:] + last]) - last
        ids = network.rows_of[distances + len(network.rows_of) // 2]
        self.ids = ids.unsqueeze(0).expand(batch, -1)
        # Whole, so that ONNX Runtime projects it once, when it loads the graph.
        weight = self.table.weight
        self.whole = weight if self.norm is None else self.norm(weight)

    def project(self, layer: nn.Linear | None, heads: int) -> Tensor | None:
        """(heads, 2·T − 1, size), by rising distance."""
        if layer is None:
            return None
        # No Gemm, which the int8 graph would make an integer product that is not folded.
        projected = (torch.matmul(self.whole, layer.weight.t()) + layer.bias)[self.ids[0]]
        return projected.reshape(-1, heads, projected.shape[1] // heads).transpose(0, 1)

    @property
    def rows(self) -> Tensor:
        """The normed rows, (B·(2·T − 1), H)."""
        return self._of_ids(self.whole)

    def pull_back(self, gradients: Tensor, places: Places) -> None:
        """From the gradient (B, 2·T − 1, H) at the rows; it ends here."""
        flat = gradients.reshape(-1, self.table.embedding_dim)
        if self.norm is not None:
            flat = self._pull_norm(self.norm)(flat, places)
        places.append(LookUp(self.table, self.ids, flat))

    def _pull_norm(self, norm: nn.LayerNorm) -> PullBack:
        """In plain operators of the whole table, which ONNX Runtime computes when it loads a graph.

        The tracer fails on `normalise` where the scope leaves nothing that reads it.
        """
        centred = self.table.weight - self.table.weight.mean(1, keepdim=True)
        reciprocal = torch.rsqrt((centred * centred).mean(1, keepdim=True) + norm.eps)
        return pull_norm(norm, self._of_ids(centred * reciprocal), self._of_ids(reciprocal))

    def _of_ids(self, table: Tensor) -> Tensor:
        """(rows, d) to (B·(2·T − 1), d)."""
        return nn.functional.embedding(self.ids, table).reshape(-1, table.shape[1])


# What collects the gradients (B, 2·T − 1, H) at the rows of `Distances`. A pull-back without it
# notes nothing of the distances: the tracer fails on a norm that nothing reads.
AtDistances = list[Tensor] | None
# to the gradient at the layer's input, from that at the context; adds to the third argument
AttentionPullBack = Callable[[Tensor, Places, Tensor, AtDistances], Tensor]


def attend_disentangled(
    layer: DebertaLayer, rows: Tensor, bias: Tensor, distances: Distances, *, at_first_only: bool
) -> tuple[Tensor, AttentionPullBack]:
    """Attention of every token over its sample, or of the first: (B·T, H) to (B·T, H) or (B, H).

    `bias` (B, 1, 1, T) is 0 at tokens and very negative at padding. The gradient that is added to
    is that at the rows which query: (B·T, H) or (B, H).
    """
    plain, batch = layer.plain, bias.shape[0]
    width = plain.heads * plain.head_size

    def split(part: Tensor) -> Tensor:  # to (B, heads, rows, size)
        return part.reshape(batch, -1, plain.heads, plain.head_size).transpose(1, 2)

    def join(part: Tensor) -> Tensor:  # to (B·rows, H)
        return part.transpose(1, 2).reshape(-1, width)

    reading = rows.reshape(batch, -1, width)[:, 0] if at_first_only else rows
    queries = split(multiply(plain.query, reading)[0])
    keys = split(multiply(plain.key, rows)[0])
    values, pull_value = multiply(plain.value, rows)
    values = split(values)
    position_keys = distances.project(layer.position_key, plain.heads)
    position_queries = distances.project(layer.position_query, plain.heads)
    if at_first_only:
        # 0, −1, ...: the first half of the rising distances from their middle back
        count = keys.shape[2]
        position_keys = _first_half(position_keys, count)
        position_queries = _first_half(position_queries, count)
        related, pull_related = relate_first(queries, keys, position_keys, position_queries)
    else:
        position_keys = None if position_keys is None else position_keys.flip(1)
        related, pull_related = relate_all(queries, keys, position_keys, position_queries)
    scores = torch.matmul(queries, keys.transpose(2, 3)) + related
    attention = torch.softmax(scores * layer.scale + bias, dim=-1)

    def rise(part: Tensor, *, falling: bool) -> Tensor:  # to (B, 2·T − 1, H) by rising distance
        flat = join(part).reshape(batch, -1, width)
        if at_first_only:
            flat = flat.flip(1)
            return torch.cat([flat, torch.zeros_like(flat[:, 1:])], dim=1)
        return flat.flip(1) if falling else flat

    def pull_back(
        gradients: Tensor, places: Places, onto: Tensor, at_distances: AtDistances
    ) -> Tensor:
        at_context = split(gradients)
        at_attention = torch.matmul(at_context, values.transpose(2, 3))
        at_scores = pull_softmax(attention, at_attention) * layer.scale
        at = pull_related(at_scores)
        at_queries = torch.matmul(at_scores, keys)
        at_keys = torch.matmul(at_scores.transpose(2, 3), queries)
        at_queries = at_queries if at.queries is None else at_queries + at.queries
        at_keys = at_keys if at.keys is None else at_keys + at.keys
        for linear, inputs, at_outputs, positional, at_positions, falling in (
            (plain.query, reading, at_queries, layer.position_query, at.position_queries, False),
            (plain.key, rows, at_keys, layer.position_key, at.position_keys, True),
        ):
            own = Product(linear.weight, linear.bias, inputs, join(at_outputs))
            if positional is None or at_positions is None or at_distances is None:
                places.append(own)
                continue
            rising = rise(at_positions, falling=falling)
            at_rows = rising.reshape(-1, width)
            shared = Product(positional.weight, positional.bias, distances.rows, at_rows)
            places.extend(
                [_together(own, shared, batch)] if positional is linear else [own, shared]
            )
            at_distances.append(torch.matmul(rising, positional.weight))
        onto = torch.addmm(onto, join(at_queries), plain.query.weight)
        if at_first_only:
            others = torch.zeros_like(rows.reshape(batch, -1, width)[:, 1:])
            onto = torch.cat([onto.unsqueeze(1), others], dim=1).reshape(-1, width)
        onto = torch.addmm(onto, join(at_keys), plain.key.weight)
        at_values = torch.matmul(attention.transpose(2, 3), at_context)
        return pull_value(join(at_values), places, onto)

    return join(torch.matmul(attention, values)), pull_back


def _first_half(positions: Tensor | None, count: int) -> Tensor | None:
    """(heads, 2·T − 1, size) by rising distance to (heads, T, size) of 0, −1, ..., 1 − T."""
    return None if positions is None else positions[:, :count].flip(1)


def _together(one: Product, other: Product, batch: int) -> Product:
    """Two products of one layer as one, a sample's rows of both behind each other."""

    def join(first: Tensor, second: Tensor) -> Tensor:
        width = first.shape[1]
        parts = [part.reshape(batch, -1, width) for part in (first, second)]
        return torch.cat(parts, dim=1).reshape(-1, width)

    inputs, gradients = join(one.inputs, other.inputs), join(one.gradients, other.gradients)
    return Product(one.weight, one.bias, inputs, gradients)
