"""ModernBERT's parts: gated layers without biases that norm their input, rotate queries and keys by
position (RoPE), and look at all tokens or at near ones only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ModernLayer:
    """One layer. `products` makes queries, keys and values, (3·H, H) with heads inside each H.

    `wide` makes what is activated and its gate, (2·I, H). The first layer has no `attention_norm`.
    `window` is the largest distance of a token that is looked at, None where all are;
    `frequencies` (size/2) turn a head's pairs of coordinates by angles in radians a position.
    """

    attention_norm: nn.LayerNorm | None
    products: nn.Linear
    output: nn.Linear
    wide_norm: nn.LayerNorm
    wide: nn.Linear
    narrow: nn.Linear
    heads: int
    head_size: int
    window: int | None
    frequencies: Tensor

    def modules(self) -> Iterator[nn.Module]:
        """Every module that holds parameters."""
        if self.attention_norm is not None:
            yield self.attention_norm
        yield from (self.products, self.output, self.wide_norm, self.wide, self.narrow)


@dataclass(frozen=True)
class ModernNetwork:
    """A model from its embeddings to its logits; `pooling` is the first token or the mean of all.

    The activations are those of the layers and of the head, by transformers' names.
    """

    words: nn.Embedding
    embedding_norm: nn.LayerNorm
    layers: list[ModernLayer]
    layers_activation: str
    final_norm: nn.LayerNorm
    pooling: Literal["cls", "mean"]
    dense: nn.Linear
    activation: str
    head_norm: nn.LayerNorm
    head: nn.Linear

    def modules(self) -> Iterator[nn.Module]:
        """Every module that holds parameters."""
        yield from self.embedding_modules()
        for layer in self.layers:
            yield from layer.modules()
        yield from self.top_modules()

    def embedding_modules(self) -> list[nn.Module]:
        """Those below the layers."""
        return [self.words, self.embedding_norm]

    def head_modules(self) -> list[nn.Module]:
        """The layer before the last, its norm, and the last."""
        return [self.dense, self.head_norm, self.head]

    def top_modules(self) -> list[nn.Module]:
        """Those above the layers: the norm of the last one's outputs, and the head."""
        return [self.final_norm, *self.head_modules()]


def find_modern_bert(model: nn.Module) -> ModernNetwork:
    """The parts of transformers' ModernBertForSequenceClassification."""
    whole: Any = model
    base, config = whole.model, whole.config
    return ModernNetwork(
        words=base.embeddings.tok_embeddings,
        embedding_norm=base.embeddings.norm,
        layers=[_layer(layer, base.rotary_emb, config) for layer in base.layers],
        layers_activation=config.hidden_activation,
        final_norm=base.final_norm,
        pooling=config.classifier_pooling,
        dense=whole.head.dense,
        activation=config.classifier_activation,
        head_norm=whole.head.norm,
        head=whole.classifier,
    )


def _layer(layer: Any, rotary: Any, config: Any) -> ModernLayer:
    near = layer.attention_type == "sliding_attention"
    frequencies = getattr(rotary, f"{layer.attention_type}_inv_freq")
    return ModernLayer(
        attention_norm=None if isinstance(layer.attn_norm, nn.Identity) else layer.attn_norm,
        products=layer.attn.Wqkv,
        output=layer.attn.Wo,
        wide_norm=layer.mlp_norm,
        wide=layer.mlp.Wi,
        narrow=layer.mlp.Wo,
        heads=config.num_attention_heads,
        head_size=layer.attn.head_dim,
        window=int(config.local_attention) // 2 if near else None,
        frequencies=cast(Tensor, frequencies).to(torch.float32),
    )
