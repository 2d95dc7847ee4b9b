"""The parts of a model that the gradient graphs run, and the proof that they are all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from torch import nn

from assay.export.deberta import DebertaNetwork, find_deberta
from assay.export.encoder_layers import EncoderLayer, find_layers
from assay.export.families import Checkpoint
from assay.export.modern_bert import ModernNetwork, find_modern_bert

Activation = Literal["gelu", "relu", "tanh"]
ACTIVATIONS: tuple[Activation, ...] = ("gelu", "relu", "tanh")
CLASSES_MAX = 8


class GradientsUnsupported(Exception):
    """The model has a module that the gradient graphs do not know; the message names it."""


@dataclass(frozen=True)
class Network:
    """A model from its embeddings to its logits. `types` and `project` are not in every family."""

    words: nn.Embedding
    positions: nn.Embedding
    types: nn.Embedding | None
    embedding_norm: nn.LayerNorm
    project: nn.Linear | None
    layers: list[EncoderLayer]
    layers_activation: Activation
    dense: nn.Linear
    activation: Activation
    head: nn.Linear

    def modules(self) -> Iterator[nn.Module]:
        """Every module that holds parameters."""
        yield from self.embedding_modules()
        for layer in self.layers:
            yield from layer.modules()
        yield from self.head_modules()

    def embedding_modules(self) -> list[nn.Module]:
        """Those below the layers."""
        parts = [self.words, self.positions, self.types, self.embedding_norm, self.project]
        return [part for part in parts if part is not None]

    def head_modules(self) -> list[nn.Module]:
        """The layer before the last, and the last."""
        return [self.dense, self.head]

    def top_modules(self) -> list[nn.Module]:
        """Those above the layers."""
        return self.head_modules()


def why_unsupported(checkpoint: Checkpoint) -> str | None:
    """What keeps a checkpoint from having gradient graphs; None where nothing does."""
    if checkpoint.classes > CLASSES_MAX:
        return f"{checkpoint.classes} logits, of at most {CLASSES_MAX}"
    try:
        find_network(checkpoint)
    except GradientsUnsupported as error:
        return str(error)
    return None


AnyNetwork = Network | ModernNetwork | DebertaNetwork


def find_network(checkpoint: Checkpoint) -> AnyNetwork:
    """The parts of a checkpoint's model.

    Raises:
        GradientsUnsupported: a module has parameters and is none of the parts, is of a kind that
            the formulas do not cover, or an activation is not known.
    """
    network: AnyNetwork
    match checkpoint.family.body:
        case "bert":
            network = _bert(checkpoint)
        case "distilbert":
            network = _distilbert(checkpoint)
        case "modernbert":
            network = find_modern_bert(checkpoint.model)
        case "deberta":
            network = find_deberta(checkpoint.model)
        case unknown:
            assert_never(unknown)
    for name in (network.layers_activation, network.activation):
        known_activation(name)
    _check_complete(checkpoint.model, network)
    return network


def _bert(checkpoint: Checkpoint) -> Network:
    """BERT, RoBERTa, XLM-R or ELECTRA."""
    model: Any = checkpoint.model
    base = getattr(model, model.base_model_prefix)
    embeddings = base.embeddings
    is_bert = checkpoint.family.name == "bert"
    return Network(
        words=embeddings.word_embeddings,
        positions=embeddings.position_embeddings,
        types=embeddings.token_type_embeddings,
        embedding_norm=embeddings.LayerNorm,
        project=getattr(base, "embeddings_project", None),
        layers=find_layers(checkpoint),
        layers_activation=known_activation(checkpoint.config.hidden_act),
        dense=base.pooler.dense if is_bert else model.classifier.dense,
        activation="gelu" if checkpoint.family.name == "electra" else "tanh",
        head=checkpoint.head,
    )


def _distilbert(checkpoint: Checkpoint) -> Network:
    model: Any = checkpoint.model
    embeddings = model.distilbert.embeddings
    return Network(
        words=embeddings.word_embeddings,
        positions=embeddings.position_embeddings,
        types=None,
        embedding_norm=embeddings.LayerNorm,
        project=None,
        layers=find_layers(checkpoint),
        layers_activation=known_activation(checkpoint.config.activation),
        dense=model.pre_classifier,
        activation="relu",
        head=checkpoint.head,
    )


def known_activation(name: str) -> Activation:
    """The activation of transformers' name.

    Raises:
        GradientsUnsupported: its derivative is not known.
    """
    for known in ACTIVATIONS:
        if name == known:
            return known
    raise GradientsUnsupported(f'activation "{name}": known are {", ".join(ACTIVATIONS)}')


def _check_complete(model: nn.Module, network: AnyNetwork) -> None:
    parts = {id(part) for part in network.modules()}
    for name, module in model.named_modules():
        if id(module) not in parts:
            if any(True for _ in module.parameters(recurse=False)):
                raise GradientsUnsupported(f"{name} ({type(module).__name__}) has parameters")
        elif type(module) not in (nn.Linear, nn.LayerNorm, nn.Embedding):
            raise GradientsUnsupported(f"{name} is of the unknown kind {type(module).__name__}")
