"""The whole network on rows: logits, features, and the pull-back from logits to every parameter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from assay.export.encoder_layers import EncoderLayer
from assay.export.gradients.attention import attend, attend_at_first
from assay.export.gradients.layers import PullBack, activate, multiply, normalise
from assay.export.gradients.network import Activation, Network
from assay.export.gradients.places import LookUp, Places, wanted_places


@dataclass(frozen=True)
class Inputs:
    """int64 (B, T) each. `types` are those of the tokens, zeros where the model takes none.

    `words`, float32 (B, T, d), stand for the word embeddings of the ids where given.
    """

    ids: Tensor
    mask: Tensor
    types: Tensor
    positions: Tensor
    words: Tensor | None = None

    def look_up(self, words: nn.Embedding) -> Tensor:
        """The word embeddings (B, T, d)."""
        found: Tensor = words(self.ids) if self.words is None else self.words
        return found


@dataclass(frozen=True)
class Run:
    """Logits (B, K), features (B, H), and what the first layer reads, (B·T, H).

    `places` takes gradients at the logits (B, K) and the ids of the wanted parameters to the places
    of these, `at_words` takes gradients at the logits to those at the word embeddings (B·T, d).
    """

    logits: Tensor
    features: Tensor
    embedded: Tensor
    places: Callable[[Tensor, Collection[int]], Places]
    at_words: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """A part of the network that the pull-back passes, and its modules with parameters."""

    modules: Iterable[nn.Module]
    pull_back: PullBack


def pull_steps(steps: Sequence[Step], at_logits: Tensor, wanted: Collection[int]) -> Places:
    """The places of the parameters with these ids. `steps` lead from the logits down.

    What lies below the last step with a wanted parameter is not passed.
    """
    found: Places = []
    lowest = max(index for index, step in enumerate(steps) if _has_any(step, wanted))
    gradients = at_logits
    for step in steps[: lowest + 1]:
        gradients = step.pull_back(gradients, found)
    return wanted_places(found, wanted)


def pull_through(steps: Sequence[Step], at_logits: Tensor) -> Tensor:
    """The gradients at the end of the last step."""
    gradients = at_logits
    for step in steps:
        gradients = step.pull_back(gradients, [])
    return gradients


def _has_any(step: Step, wanted: Collection[int]) -> bool:
    return any(id(p) in wanted for m in step.modules for p in m.parameters(recurse=False))


def run_network(network: Network, inputs: Inputs) -> Run:
    """Runs the network; its gradients follow on demand."""
    bias = (1.0 - inputs.mask[:, None, None, :].to(network.head.weight.dtype)) * -1e9
    embedded, pull_embeddings = _embed(network, inputs)
    rows = embedded
    steps = [Step(network.embedding_modules(), pull_embeddings)]
    for layer in network.layers:
        rows, pull_back = _encode(
            layer,
            network.layers_activation,
            rows,
            bias,
            at_first_only=layer is network.layers[-1],
        )
        steps.insert(0, Step(layer.modules(), pull_back))
    dense, pull_dense = multiply(network.dense, rows)
    features, slope = activate(network.activation, dense)
    logits, pull_head = multiply(network.head, features)

    def pull_top(gradients: Tensor, places: Places) -> Tensor:
        return pull_dense(pull_head(gradients, places) * slope, places)

    steps.insert(0, Step(network.head_modules(), pull_top))
    return Run(logits, features, embedded, partial(pull_steps, steps), partial(pull_through, steps))


def _embed(network: Network, inputs: Inputs) -> tuple[Tensor, PullBack]:
    """(B, T) to rows (B·T, H). The pull-back ends here, at the sum of the looked-up rows."""
    look_ups = [(network.words, inputs.ids), (network.positions, inputs.positions)]
    if network.types is not None:
        look_ups.append((network.types, inputs.types))
    embedded = inputs.look_up(network.words)
    for table, ids in look_ups[1:]:
        embedded = embedded + table(ids)
    rows, pull_norm = normalise(
        network.embedding_norm, embedded.reshape(-1, network.words.embedding_dim)
    )
    if network.project is not None:
        rows, pull_project = multiply(network.project, rows)

    def pull_back(gradients: Tensor, places: Places) -> Tensor:
        if network.project is not None:
            gradients = pull_project(gradients, places)
        gradients = pull_norm(gradients, places)
        places.extend(LookUp(table, ids, gradients) for table, ids in look_ups)
        return gradients

    return rows, pull_back


def _encode(
    layer: EncoderLayer, activation: Activation, rows: Tensor, bias: Tensor, *, at_first_only: bool
) -> tuple[Tensor, PullBack]:
    """One layer: (B·T, H) to (B·T, H), or to (B, H) at the first token only."""
    if at_first_only:
        samples = rows.reshape(bias.shape[0], -1, int(rows.shape[1]))
        context, pull_attention = attend_at_first(layer, samples, bias)
        rows = samples[:, 0]
    else:
        context, pull_attention = attend(layer, rows, bias)
    output, pull_output = multiply(layer.output, context)
    attended, pull_attention_norm = normalise(layer.attention_norm, output + rows)
    wide, pull_wide = multiply(layer.wide, attended)
    active, slope = activate(activation, wide)
    narrow, pull_narrow = multiply(layer.narrow, active)
    outputs, pull_output_norm = normalise(layer.output_norm, narrow + attended)

    def pull_back(gradients: Tensor, places: Places) -> Tensor:
        gradients = pull_output_norm(gradients, places)
        at_wide = pull_narrow(gradients, places) * slope
        gradients = pull_attention_norm(pull_wide(at_wide, places, gradients), places)
        return pull_attention(pull_output(gradients, places), places, gradients)

    return outputs, pull_back
