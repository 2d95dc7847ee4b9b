"""The gradient graphs, traced as the forward graph is, with the parameters as inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import torch
from torch import Tensor, nn

from assay.export.deberta import DebertaNetwork
from assay.export.embedding import mean_of_tokens
from assay.export.families import Checkpoint, token_positions
from assay.export.gradients.deberta import run_deberta
from assay.export.gradients.grams import gram_terms
from assay.export.gradients.layers import activate_named
from assay.export.gradients.modern_bert import run_modern_bert
from assay.export.gradients.network import Network, find_network
from assay.export.gradients.places import Places
from assay.export.gradients.run import Inputs, Run, run_network
from assay.export.gradients.scope import Scope
from assay.export.gradients.sums import summed_gradients
from assay.export.gradients.tangents import tangent_terms
from assay.export.gradients.terms import total
from assay.export.merge import merge_equal_nodes
from assay.export.modern_bert import ModernNetwork
from assay.export.trace import Trace, copy_modules, example_inputs, trace_module


def direction_name(parameter: str) -> str:
    """The input of the tangent graph that takes the direction's part for a parameter."""
    return f"direction.{parameter}"


def gradient_name(parameter: str) -> str:
    """The output of the accumulate graph that gives a parameter's gradient."""
    return f"gradient.{parameter}"


def trace_norms(checkpoint: Checkpoint, scope: Scope) -> Trace:
    """Traces `norms`: logits (B, K), features and embedding (B, H), and gram (B, K, K)."""
    network = _Norms(copy_modules(checkpoint), scope)
    return _trace(
        network,
        example_inputs(checkpoint),
        checkpoint.family.inputs,
        ["logits", "features", "embedding", "gram"],
    )


def trace_tangent(checkpoint: Checkpoint, scope: Scope) -> Trace:
    """Traces `tangent`: the outputs of `norms`, and tangent (B, K).

    It takes the direction beside the texts, one input for each parameter of the scope.
    """
    network = _Tangent(copy_modules(checkpoint), scope)
    parameters = dict(network.model.named_parameters())
    directions = [torch.ones_like(parameters[name]) for name in scope.parameters]
    return _trace(
        network,
        (*example_inputs(checkpoint), *directions),
        [*checkpoint.family.inputs, *map(direction_name, scope.parameters)],
        ["logits", "features", "embedding", "gram", "tangent"],
    )


def trace_accumulate(checkpoint: Checkpoint, scope: Scope) -> Trace:
    """Traces `accumulate`: logits (B, K) and, for each parameter, Σ_i Σ_k c_ik ∇z_ik in its shape.

    The parameters are those of the scope. It takes the coefficients c (B, K) beside the texts.
    """
    network = _Accumulate(copy_modules(checkpoint), scope)
    inputs = example_inputs(checkpoint)
    return _trace(
        network,
        (*inputs, torch.ones(inputs[0].shape[0], checkpoint.classes)),
        [*checkpoint.family.inputs, "coefficient"],
        ["logits", *map(gradient_name, scope.parameters)],
    )


def _trace(
    network: _Gradients,
    inputs: tuple[Tensor, ...],
    input_names: Sequence[str],
    output_names: Sequence[str],
) -> Trace:
    trace = trace_module(network, inputs, input_names, output_names)
    merge_equal_nodes(trace.graph)
    return trace


def trace_attribution(checkpoint: Checkpoint, scope: Scope) -> Trace:
    """Traces `attribution`: logits (B, K) and Σ_d (e − e0)·∂z/∂e of each token, (B, K, T).

    Beside the texts it takes `baseline_ids`, int64 (B, T), and `alpha`, float32 (B). e and e0 are
    the word embeddings of ids and baseline ids. Logits and gradients are those at
    e0 + α(e − e0); positions and types are the text's. Integrated gradients are the mean over α of
    this (Sundararajan et al., arXiv:1703.01365). The scope of parameters does not change it.
    """
    inputs = example_inputs(checkpoint)
    return _trace(
        _Attribution(copy_modules(checkpoint), scope),
        (*inputs, inputs[0].flip(0), torch.linspace(0, 1, len(inputs[0]))),
        [*checkpoint.family.inputs, "baseline_ids", "alpha"],
        ["logits", "attribution"],
    )


GRADIENT_TRACES = {
    "norms": trace_norms,
    "tangent": trace_tangent,
    "accumulate": trace_accumulate,
    "attribution": trace_attribution,
}


class _Gradients(nn.Module):
    """What they have in common. `wanted` are the ids of the scope's parameters, in order."""

    def __init__(self, checkpoint: Checkpoint, scope: Scope) -> None:
        super().__init__()
        self.model = checkpoint.model
        self.checkpoint = checkpoint
        self.network = find_network(checkpoint)
        parameters = dict(checkpoint.model.named_parameters())
        self.wanted = [id(parameters[name]) for name in scope.parameters]

    def run(self, texts: Sequence[Tensor], words: Tensor | None = None) -> Run:
        """Runs texts; `words` (B, T, d) stand for their word embeddings where given."""
        ids, mask, *types = texts
        positions = token_positions(self.checkpoint, ids)
        known = types[0] if types else torch.zeros_like(ids)
        inputs = Inputs(ids, mask, known, positions, words)
        match self.network:
            case Network():
                return run_network(self.network, inputs)
            case ModernNetwork():
                return run_modern_bert(self.network, inputs, activate_named)
            case DebertaNetwork():
                return run_deberta(self.network, inputs, activate_named)
            case unknown:
                assert_never(unknown)

    def units(self, run: Run) -> list[Tensor]:
        """The gradients at the logits (B, K) of each of the K logits."""
        return [unit.expand_as(run.logits) for unit in torch.eye(self.checkpoint.classes)]

    def views(self, run: Run) -> list[Places]:
        """The places as each of the K logits sees them."""
        wanted = set(self.wanted)
        return [run.places(unit, wanted) for unit in self.units(run)]


class _Norms(_Gradients):
    def forward(self, *texts: Tensor) -> Any:
        run = self.run(texts)
        views = self.views(run)
        terms = gram_terms(views, texts[0].shape[0])
        gram = total([term for term in terms if term is not None])
        embedding = mean_of_tokens(run.embedded, texts[1])
        return run.logits, run.features, embedding, gram.reshape(-1, len(views), len(views))


class _Tangent(_Gradients):
    def forward(self, *inputs: Tensor) -> Any:
        count = len(self.checkpoint.family.inputs)
        texts, parts = inputs[:count], dict(zip(self.wanted, inputs[count:], strict=True))
        run = self.run(texts)
        views = self.views(run)
        batch, classes = texts[0].shape[0], len(views)
        grams = gram_terms(views, batch)
        moved = tangent_terms(views, lambda parameter: parts[id(parameter)], batch)
        # in one sum, so that a place is read for both at once
        both = total([_join(pair) for pair in zip(grams, moved, strict=True)])
        gram = both[:, classes:].reshape(-1, classes, classes)
        embedding = mean_of_tokens(run.embedded, texts[1])
        return run.logits, run.features, embedding, gram, both[:, :classes]


def _join(pair: tuple[Tensor | None, Tensor]) -> Tensor:
    """A place's term of the gram (B, K·K), or none, after its term of the tangent (B, K)."""
    gram, tangent = pair
    if gram is None:
        gram = torch.zeros_like(tangent).repeat(1, tangent.shape[1])
    return torch.cat([tangent, gram], dim=1)


class _Accumulate(_Gradients):
    def forward(self, *inputs: Tensor) -> Any:
        *texts, coefficient = inputs
        run = self.run(texts)
        sums = summed_gradients(run.places(coefficient, set(self.wanted)))
        return run.logits, *(sums[key] for key in self.wanted)


class _Attribution(_Gradients):
    def forward(self, *inputs: Tensor) -> Any:
        *texts, baseline, alpha = inputs
        words = self.network.words
        start = words(baseline)
        way = words(texts[0]) - start
        run = self.run(texts, start + alpha.reshape(-1, 1, 1) * way)
        along = [(run.at_words(unit).reshape(way.shape) * way).sum(-1) for unit in self.units(run)]
        return run.logits, torch.stack(along, dim=1)
