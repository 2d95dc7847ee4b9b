"""Attention with its pull-back: of every token, and of the first token alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from assay.export.encoder_layers import EncoderLayer
from assay.export.gradients.layers import multiply
from assay.export.gradients.places import HeadProduct, Places

Attended = tuple[Tensor, Callable[[Tensor, Places, Tensor], Tensor]]


def attend(layer: EncoderLayer, rows: Tensor, bias: Tensor) -> Attended:
    """Attention of every token over its sample: (B·T, H) to (B·T, H).

    `bias` (B, 1, 1, T) is 0 at tokens and very negative at padding. The pull-back adds to its third
    argument (B·T, H).
    """
    batch = bias.shape[0]
    scale = layer.head_size**-0.5

    def split(part: Tensor) -> Tensor:  # (B, heads, T, size)
        return part.reshape(batch, -1, layer.heads, layer.head_size).transpose(1, 2)

    def join(part: Tensor) -> Tensor:  # (B·T, H)
        return part.transpose(1, 2).reshape(-1, layer.heads * layer.head_size)

    queries, pull_query = multiply(layer.query, rows)
    keys, pull_key = multiply(layer.key, rows)
    values, pull_value = multiply(layer.value, rows)
    queries, keys, values = split(queries), split(keys), split(values)
    scores = torch.matmul(queries, keys.transpose(2, 3)) * scale
    attention = torch.softmax(scores + bias, dim=-1)

    def pull_back(gradients: Tensor, places: Places, onto: Tensor) -> Tensor:
        at_context = split(gradients)
        at_attention = torch.matmul(at_context, values.transpose(2, 3))
        at_scores = pull_softmax(attention, at_attention)
        at_queries = torch.matmul(at_scores, keys) * scale
        at_keys = torch.matmul(at_scores.transpose(2, 3), queries) * scale
        at_values = torch.matmul(attention.transpose(2, 3), at_context)
        onto = pull_query(join(at_queries), places, onto)
        onto = pull_key(join(at_keys), places, onto)
        return pull_value(join(at_values), places, onto)

    return join(torch.matmul(attention, values)), pull_back


def attend_at_first(layer: EncoderLayer, samples: Tensor, bias: Tensor) -> Attended:
    """Attention of the first token over its sample: (B, T, H) to (B, H).

    As in the forward graph (encoder.py), q·(W x) = (qᵀW)·x and Σ p (V x + b) = V (Σ p x) + b leave
    no product a token. The pull-back adds to its third argument, the gradient (B, H) at the first
    token, and gives that at every token (B·T, H).
    """
    width = layer.heads * layer.head_size
    shape = (layer.heads, layer.head_size, -1)
    scale = layer.head_size**-0.5
    key, value = layer.key.weight.reshape(shape), layer.value.weight.reshape(shape)

    def split(part: Tensor) -> Tensor:  # (B, H) to (heads, B, size)
        return part.reshape(-1, layer.heads, layer.head_size).transpose(0, 1)

    def join(part: Tensor) -> Tensor:  # (heads, B, size) to (B, H)
        return part.transpose(0, 1).reshape(-1, width)

    query, pull_query = multiply(layer.query, samples[:, 0])
    queries = split(query)
    directions = torch.matmul(queries, key).transpose(0, 1)  # (B, heads, H)
    scores = torch.matmul(directions, samples.transpose(1, 2)) * scale  # (B, heads, T)
    attention = torch.softmax(scores + bias[:, 0], dim=-1)
    means = torch.matmul(attention, samples)  # (B, heads, H)
    context = torch.matmul(means.transpose(0, 1), value.transpose(1, 2))

    def pull_back(gradients: Tensor, places: Places, onto: Tensor) -> Tensor:
        at_context = split(gradients)  # (heads, B, size)
        answers = torch.matmul(at_context, value).transpose(0, 1)  # (B, heads, H)
        at_attention = torch.matmul(answers, samples.transpose(1, 2))
        at_scores = pull_softmax(attention, at_attention) * scale
        pulls = torch.matmul(at_scores, samples)  # (B, heads, H)
        at_queries = torch.matmul(pulls.transpose(0, 1), key.transpose(1, 2))
        for linear, mixes, tokens, at_outputs in (
            (layer.value, means, attention, at_context),
            (layer.key, pulls, at_scores, queries),
        ):
            sums = tokens.sum(-1, keepdim=True)
            by_head = at_outputs.transpose(0, 1)
            places.append(HeadProduct(linear.weight, linear.bias, mixes, sums, by_head))
        at_first = pull_query(join(at_queries), places, onto)
        # one product for all three ways into a token, the last into the first token alone
        factors = torch.cat([at_scores, attention, _is_first(attention)], dim=1).transpose(1, 2)
        ways = torch.cat([directions, answers, at_first.unsqueeze(1)], dim=1)
        return torch.matmul(factors, ways).reshape(-1, width)

    return join(context) + layer.value.bias, pull_back


def _is_first(attention: Tensor) -> Tensor:
    """(B, heads, T) to (B, 1, T): 1 at the first token."""
    return torch.cat(
        [torch.ones_like(attention[:, :1, :1]), torch.zeros_like(attention[:, :1, 1:])], 2
    )


def pull_softmax(attention: Tensor, gradients: Tensor) -> Tensor:
    """∇s = p ∘ (g − Σ p ∘ g) over the last axis."""
    products = attention * gradients
    return products - attention * products.sum(-1, keepdim=True)
