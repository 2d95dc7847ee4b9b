"""The whole network on rows: logits, features, and the pull-back from logits to every parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from assay.export.encoder_layers import EncoderLayer
from assay.export.gradients.attention import attend, attend_at_first
from assay.export.gradients.layers import PullBack, activate, multiply, normalise
from assay.export.gradients.network import Activation, Network
from assay.export.gradients.places import LookUp, Places


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

    `places` takes gradients at the logits (B, K) to the places, `at_words` to the gradients at the
    word embeddings (B·T, d).
    """

    logits: Tensor
    features: Tensor
    embedded: Tensor
    places: Callable[[Tensor], Places]
    at_words: Callable[[Tensor], Tensor]


def run_network(network: Network, inputs: Inputs) -> Run:
    """Runs the network; its gradients follow on demand."""
    bias = (1.0 - inputs.mask[:, None, None, :].to(network.head.weight.dtype)) * -1e9
    pull_backs: list[PullBack] = []
    embedded, pull_back = _embed(network, inputs)
    rows = embedded
    pull_backs.append(pull_back)
    for layer in network.layers:
        rows, pull_back = _encode(
            layer,
            network.layers_activation,
            rows,
            bias,
            at_first_only=layer is network.layers[-1],
        )
        pull_backs.append(pull_back)
    dense, pull_dense = multiply(network.dense, rows)
    features, slope = activate(network.activation, dense)
    logits, pull_head = multiply(network.head, features)

    def pull(at_logits: Tensor, found: Places) -> Tensor:
        gradients = pull_dense(pull_head(at_logits, found) * slope, found)
        for pull_back in reversed(pull_backs):
            gradients = pull_back(gradients, found)
        return gradients

    return Run(logits, features, embedded, *ends(pull))


def ends(
    pull: Callable[[Tensor, Places], Tensor],
) -> tuple[Callable[[Tensor], Places], Callable[[Tensor], Tensor]]:
    """`places` and `at_words` of a pull-back that notes the places and ends at the words."""

    def places(at_logits: Tensor) -> Places:
        found: Places = []
        pull(at_logits, found)
        return found

    return places, lambda at_logits: pull(at_logits, [])


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
