"""DeBERTa on rows: logits, features, and the pull-back from logits to every parameter.

The forward graph is this run without its pull-backs. The head reads the first token, which leaves
the last layer one query a sample, and one row to its other products.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from torch import Tensor

from assay.export.deberta import DebertaLayer, DebertaNetwork
from assay.export.gradients.disentangled import AtDistances, Distances, attend_disentangled
from assay.export.gradients.layers import PullBack, multiply, normalise
from assay.export.gradients.modern_bert import Activate
from assay.export.gradients.places import LookUp, Places
from assay.export.gradients.run import Inputs, Run, Step, pull_steps, pull_through


class LayerPullBack(Protocol):
    """A layer's pull-back; adds the gradients (B, 2·T − 1, H) at the positions to the list."""

    def __call__(self, gradients: Tensor, places: Places, at_distances: AtDistances) -> Tensor:
        """From the gradient at the layer's output to that at its input."""


def run_deberta(network: DebertaNetwork, inputs: Inputs, activate: Activate) -> Run:
    """Runs the network; its gradients follow on demand, unless it has a `conv`."""
    mask = inputs.mask.to(network.head.weight.dtype)
    bias = (1.0 - mask[:, None, None, :]) * -1e9
    embedded, pull_embeddings = _embed(network, inputs)
    rows = embedded
    distances = Distances(network, inputs.positions[0], mask.shape[0])
    pull_backs: list[LayerPullBack] = []
    for layer in network.layers:
        rows, pull_back = _encode(
            layer,
            lambda x: activate(network.layers_activation, x),
            rows,
            bias,
            distances,
            at_first_only=layer is network.layers[-1],
        )
        pull_backs.append(pull_back)
        if network.conv is not None and layer is network.layers[0]:
            samples = [part.reshape(*mask.shape, -1) for part in (embedded, rows)]
            rows = network.conv(samples[0] * mask.unsqueeze(2), samples[1], inputs.mask)
            rows = rows.reshape(embedded.shape)
    dense, pull_dense = multiply(network.dense, rows)
    features, slope = activate(network.activation, dense)
    logits, pull_head = multiply(network.head, features)

    def pull_top(gradients: Tensor, places: Places) -> Tensor:
        return pull_dense(pull_head(gradients, places) * slope, places)

    def steps(at_distances: AtDistances) -> list[Step]:
        """From the logits to the word embeddings."""
        layers = zip(reversed(network.layers), reversed(pull_backs), strict=True)
        return [
            Step(network.head_modules(), pull_top),
            *(
                Step(layer.modules(), partial(pull_back, at_distances=at_distances))
                for layer, pull_back in layers
            ),
            Step(network.embedding_modules(), pull_embeddings),
        ]

    def places(at_logits: Tensor, wanted: Collection[int]) -> Places:
        at_distances: list[Tensor] = []

        def pull_distances(gradients: Tensor, places: Places) -> Tensor:
            total = at_distances[0]
            for part in at_distances[1:]:
                total = total + part
            distances.pull_back(total, places)
            return gradients

        last = Step(network.distance_modules(), pull_distances)
        return pull_steps([*steps(at_distances), last], at_logits, wanted)

    return Run(logits, features, embedded, places, partial(pull_through, steps(None)))


def _embed(network: DebertaNetwork, inputs: Inputs) -> tuple[Tensor, PullBack]:
    """(B, T) to rows (B·T, H). The pull-back ends here, at the sum of the looked-up rows."""
    look_ups = [(network.words, inputs.ids)]
    if network.positions is not None:
        look_ups.append((network.positions, inputs.positions))
    if network.types is not None:
        look_ups.append((network.types, inputs.types))
    embedded = inputs.look_up(network.words)
    for table, ids in look_ups[1:]:
        embedded = embedded + table(ids)
    rows = embedded.reshape(-1, network.words.embedding_dim)
    pull_project = None
    if network.project is not None:
        rows, pull_project = multiply(network.project, rows)
    rows, pull_norm = normalise(network.embedding_norm, rows)

    def pull_back(gradients: Tensor, places: Places) -> Tensor:
        gradients = pull_norm(gradients, places)
        if pull_project is not None:
            gradients = pull_project(gradients, places)
        places.extend(LookUp(table, ids, gradients) for table, ids in look_ups)
        return gradients

    return rows, pull_back


def _encode(
    layer: DebertaLayer,
    activate: Callable[[Tensor], tuple[Tensor, Tensor]],
    rows: Tensor,
    bias: Tensor,
    distances: Distances,
    *,
    at_first_only: bool,
) -> tuple[Tensor, LayerPullBack]:
    """One layer: (B·T, H) to (B·T, H), or to (B, H) at the first token only."""
    plain = layer.plain
    context, pull_attention = attend_disentangled(
        layer, rows, bias, distances, at_first_only=at_first_only
    )
    if at_first_only:
        rows = rows.reshape(bias.shape[0], -1, rows.shape[1])[:, 0]
    output, pull_output = multiply(plain.output, context)
    attended, pull_attention_norm = normalise(plain.attention_norm, output + rows)
    wide, pull_wide = multiply(plain.wide, attended)
    active, slope = activate(wide)
    narrow, pull_narrow = multiply(plain.narrow, active)
    outputs, pull_output_norm = normalise(plain.output_norm, narrow + attended)

    def pull_back(gradients: Tensor, places: Places, at_distances: AtDistances) -> Tensor:
        gradients = pull_output_norm(gradients, places)
        at_wide = pull_narrow(gradients, places) * slope
        gradients = pull_attention_norm(pull_wide(at_wide, places, gradients), places)
        at_context = pull_output(gradients, places)
        return pull_attention(at_context, places, gradients, at_distances)

    return outputs, pull_back
