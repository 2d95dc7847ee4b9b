"""DeBERTa-v2's and v3's parts: BERT's layers, whose attention also reads how far tokens are apart.

One table of relative positions serves all layers. Each projects it to keys and to queries, with the
layers that project the tokens (`share_att_key`) or with its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.export.encoder_layers import EncoderLayer, bert_layer


@dataclass(frozen=True)
class DebertaLayer:
    """One layer. `position_key` and `position_query` project the table, None where none is read.

    They are the layer's own `key` and `query` where the checkpoint shares them.
    """

    plain: EncoderLayer
    position_key: nn.Linear | None
    position_query: nn.Linear | None

    def modules(self) -> Iterator[nn.Module]:
        """Every module that holds parameters."""
        yield from self.plain.modules()
        yield from (part for part in (self.position_key, self.position_query) if part is not None)

    @property
    def scale(self) -> float:
        """What scores are multiplied by: there are up to three of them to each pair of tokens."""
        parts = 1 + sum(p is not None for p in (self.position_key, self.position_query))
        return float((self.plain.head_size * parts) ** -0.5)


@dataclass(frozen=True)
class DebertaNetwork:
    """A model from its embeddings to its logits.

    `relative` is the table of relative positions and `rows_of`, int64 (2·M − 1), its row for each
    distance from 1 − M to M − 1, where M is the longest input. `conv` is what v2's largest models
    have beside the first layer. Activations are named as transformers does.
    """

    words: nn.Embedding
    positions: nn.Embedding | None
    types: nn.Embedding | None
    project: nn.Linear | None
    embedding_norm: nn.LayerNorm
    relative: nn.Embedding
    relative_norm: nn.LayerNorm | None
    rows_of: Tensor
    layers: list[DebertaLayer]
    layers_activation: str
    conv: nn.Module | None
    dense: nn.Linear
    activation: str
    head: nn.Linear

    def modules(self) -> Iterator[nn.Module]:
        """Every module that holds parameters, but for `conv`."""
        yield from self.embedding_modules()
        yield from self.distance_modules()
        for layer in self.layers:
            yield from layer.modules()
        yield from self.head_modules()

    def embedding_modules(self) -> list[nn.Module]:
        """Those below the layers."""
        parts = [self.words, self.positions, self.types, self.project, self.embedding_norm]
        return [part for part in parts if part is not None]

    def distance_modules(self) -> list[nn.Module]:
        """The table of relative positions and its norm, which every layer reads."""
        parts = [self.relative, self.relative_norm]
        return [part for part in parts if part is not None]

    def head_modules(self) -> list[nn.Module]:
        """The layer before the last, and the last."""
        return [self.dense, self.head]

    def top_modules(self) -> list[nn.Module]:
        """Those above the layers."""
        return self.head_modules()


def find_deberta(model: nn.Module) -> DebertaNetwork:
    """The parts of transformers' DebertaV2ForSequenceClassification."""
    whole: Any = model
    embeddings, encoder, config = whole.deberta.embeddings, whole.deberta.encoder, whole.config
    return DebertaNetwork(
        words=embeddings.word_embeddings,
        positions=embeddings.position_embeddings,
        types=embeddings.token_type_embeddings,
        project=embeddings.embed_proj,
        embedding_norm=embeddings.LayerNorm,
        relative=encoder.rel_embeddings,
        relative_norm=getattr(encoder, "LayerNorm", None),
        rows_of=_rows_of_distances(config, len(encoder.rel_embeddings.weight) // 2),
        layers=[_layer(layer, config.pos_att_type) for layer in encoder.layer],
        layers_activation=config.hidden_act,
        conv=encoder.conv,
        dense=whole.pooler.dense,
        activation=config.pooler_hidden_act,
        head=whole.classifier,
    )


def _rows_of_distances(config: Any, span: int) -> Tensor:
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    longest = int(config.max_position_embeddings)
    distances = torch.arange(1 - longest, longest)
    buckets = int(getattr(config, "position_buckets", -1))
    if buckets > 0:
        farthest = int(getattr(config, "max_relative_positions", -1))
        farthest = farthest if farthest > 0 else longest
        distances = make_log_bucket_position(distances, buckets, farthest).to(torch.int64)
    return (distances + span).clamp(0, 2 * span - 1)


def _layer(layer: Any, kinds: list[str]) -> DebertaLayer:
    attention = layer.attention.self
    shared = attention.share_att_key
    key = attention.key_proj if shared else getattr(attention, "pos_key_proj", None)
    query = attention.query_proj if shared else getattr(attention, "pos_query_proj", None)
    plain = bert_layer(layer, attention.query_proj, attention.key_proj, attention.value_proj)
    return DebertaLayer(
        plain,
        position_key=key if "c2p" in kinds else None,
        position_query=query if "p2c" in kinds else None,
    )
