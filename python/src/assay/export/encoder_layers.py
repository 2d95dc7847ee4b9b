"""The encoder layers of a model, with the same names for the same parts in every family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from assay.export.families import Checkpoint


@dataclass(frozen=True)
class EncoderLayer:
    """One encoder layer, and the number and width of its attention heads.

    `feed_forward` is wide, the activation and narrow in one, as the model runs them.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    attention_norm: nn.LayerNorm
    wide: nn.Linear
    narrow: nn.Linear
    feed_forward: Callable[[Tensor], Tensor]
    output_norm: nn.LayerNorm
    heads: int
    head_size: int

    def modules(self) -> list[nn.Module]:
        """Every module that holds parameters."""
        attention = [self.query, self.key, self.value, self.output, self.attention_norm]
        return [*attention, self.wide, self.narrow, self.output_norm]


def find_layers(checkpoint: Checkpoint) -> list[EncoderLayer]:
    """The layers of a checkpoint's model, from the first to the last."""
    layers = checkpoint.model.get_submodule(checkpoint.family.layers)
    assert isinstance(layers, nn.ModuleList)
    parts_of = _distilbert if checkpoint.family.body == "distilbert" else _bert
    return [parts_of(layer) for layer in layers]


def _bert(layer: Any) -> EncoderLayer:
    """A layer of BERT, RoBERTa, XLM-R or ELECTRA."""
    attention = layer.attention.self
    return bert_layer(layer, attention.query, attention.key, attention.value)


def bert_layer(layer: Any, query: nn.Linear, key: nn.Linear, value: nn.Linear) -> EncoderLayer:
    """A layer with BERT's names but for those of its queries, keys and values."""
    attention = layer.attention.self
    return EncoderLayer(
        query=query,
        key=key,
        value=value,
        output=layer.attention.output.dense,
        attention_norm=layer.attention.output.LayerNorm,
        wide=layer.intermediate.dense,
        narrow=layer.output.dense,
        feed_forward=nn.Sequential(layer.intermediate, layer.output.dense),
        output_norm=layer.output.LayerNorm,
        heads=attention.num_attention_heads,
        head_size=attention.attention_head_size,
    )


def _distilbert(layer: Any) -> EncoderLayer:
    attention = layer.attention
    return EncoderLayer(
        query=attention.q_lin,
        key=attention.k_lin,
        value=attention.v_lin,
        output=attention.out_lin,
        attention_norm=layer.sa_layer_norm,
        wide=layer.ffn.lin1,
        narrow=layer.ffn.lin2,
        feed_forward=layer.ffn.ff_chunk,
        output_norm=layer.output_layer_norm,
        heads=attention.n_heads,
        head_size=attention.attention_head_size,
    )
