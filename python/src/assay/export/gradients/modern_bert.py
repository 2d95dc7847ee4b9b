"""ModernBERT on rows: logits, features, and the pull-back from logits to every parameter.

The forward graph is this run without its pull-backs. A head that reads the first token leaves the
last layer one query a sample, and one row to its other products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from assay.export.gradients.layers import PullBack, multiply, normalise
from assay.export.gradients.places import LookUp, Places
from assay.export.gradients.rotary import Rotation, attend_rotated
from assay.export.gradients.run import Inputs, Run, Step, pull_steps, pull_through
from assay.export.modern_bert import ModernLayer, ModernNetwork

# an activation by its name, of (rows, d): outputs and derivatives, (rows, d) both
Activate = Callable[[str, Tensor], tuple[Tensor, Tensor]]


def run_modern_bert(network: ModernNetwork, inputs: Inputs, activate: Activate) -> Run:
    """Runs the network; its gradients follow on demand."""
    mask = inputs.mask.to(network.head.weight.dtype)
    bias = (1.0 - mask[:, None, None, :]) * -1e9
    batch, width = mask.shape[0], network.words.embedding_dim
    words = inputs.look_up(network.words).reshape(-1, width)
    embedded, pull_embedding_norm = normalise(network.embedding_norm, words)
    rows = embedded

    def pull_embeddings(gradients: Tensor, places: Places) -> Tensor:
        gradients = pull_embedding_norm(gradients, places)
        places.append(LookUp(network.words, inputs.ids, gradients))
        return gradients

    steps = [Step(network.embedding_modules(), pull_embeddings)]
    for layer in network.layers:
        rotation = Rotation(inputs.positions[0], layer.frequencies, layer.window)
        at_first_only = network.pooling == "cls" and layer is network.layers[-1]
        rows, pull_back = _encode(
            layer,
            lambda x: activate(network.layers_activation, x),
            rows,
            bias,
            rotation,
            at_first_only=at_first_only,
        )
        steps.insert(0, Step(layer.modules(), pull_back))
    rows, pull_final_norm = normalise(network.final_norm, rows)
    shares = None if network.pooling == "cls" else mask / mask.sum(1, keepdim=True)  # (B, T)
    if shares is not None:
        rows = torch.matmul(shares.unsqueeze(1), rows.reshape(batch, -1, width)).squeeze(1)
    dense, pull_dense = multiply(network.dense, rows)
    active, slope = activate(network.activation, dense)
    features, pull_head_norm = normalise(network.head_norm, active)
    logits, pull_head = multiply(network.head, features)

    def pull_top(gradients: Tensor, places: Places) -> Tensor:
        gradients = pull_head_norm(pull_head(gradients, places), places)
        gradients = pull_dense(gradients * slope, places)
        if shares is not None:
            spread = shares.unsqueeze(2) * gradients.unsqueeze(1)
            gradients = spread.reshape(-1, width)
        return pull_final_norm(gradients, places)

    steps.insert(0, Step(network.top_modules(), pull_top))
    return Run(logits, features, embedded, partial(pull_steps, steps), partial(pull_through, steps))


def _encode(
    layer: ModernLayer,
    activate: Callable[[Tensor], tuple[Tensor, Tensor]],
    rows: Tensor,
    bias: Tensor,
    rotation: Rotation,
    *,
    at_first_only: bool,
) -> tuple[Tensor, PullBack]:
    """One layer: (B·T, H) to (B·T, H), or to (B, H) at the first token only."""
    batch, width = bias.shape[0], layer.heads * layer.head_size
    normed, pull_attention_norm = rows, None
    if layer.attention_norm is not None:
        normed, pull_attention_norm = normalise(layer.attention_norm, rows)
    products, pull_products = multiply(layer.products, normed)
    context, pull_attention = attend_rotated(
        layer, products, bias, rotation, at_first_only=at_first_only
    )
    output, pull_output = multiply(layer.output, context)
    if at_first_only:
        rows = rows.reshape(batch, -1, width)[:, 0]
    attended = rows + output
    wide_inputs, pull_wide_norm = normalise(layer.wide_norm, attended)
    wide, pull_wide = multiply(layer.wide, wide_inputs)
    inputs, gate = wide.chunk(2, dim=1)
    active, slope = activate(inputs)
    narrow, pull_narrow = multiply(layer.narrow, active * gate)

    def pull_back(gradients: Tensor, places: Places) -> Tensor:
        at_gated = pull_narrow(gradients, places)
        at_wide = torch.cat([at_gated * gate * slope, at_gated * active], dim=1)
        gradients = gradients + pull_wide_norm(pull_wide(at_wide, places), places)
        at_products = pull_attention(pull_output(gradients, places))
        at_normed = pull_products(at_products, places)
        if pull_attention_norm is not None:
            at_normed = pull_attention_norm(at_normed, places)
        if at_first_only:
            others = torch.zeros_like(at_normed.reshape(batch, -1, width)[:, 1:])
            gradients = torch.cat([gradients.unsqueeze(1), others], dim=1).reshape(-1, width)
        return gradients + at_normed

    return attended + narrow, pull_back
