"""The encoder layers as the graphs run them: on rows, and the last at the first token alone.

Hidden states are one row a token, (B·T, H), so that products and norms need no reshaping between
them. A head that reads the first token only makes nothing of the others in the last layer but keys
and values: nothing reads their own attention and feed-forward outputs. The graphs leave those out:
the result is exact, and of six layers nearly one is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from assay.export.deberta import find_deberta
from assay.export.embedding import mean_of_tokens
from assay.export.encoder_layers import EncoderLayer, find_layers
from assay.export.families import Checkpoint, token_positions
from assay.export.gradients.deberta import run_deberta
from assay.export.gradients.modern_bert import run_modern_bert
from assay.export.gradients.run import Inputs
from assay.export.modern_bert import find_modern_bert


@dataclass(frozen=True)
class _Outputs:
    """Logits (B, K), features (B, H), and what the first layer reads, (B·T, H) or (B, T, H)."""

    logits: Tensor
    features: Tensor
    embedded: Tensor


class Forward(nn.Module):
    """The model as the forward graph sees it: ids, mask (and types) to its outputs.

    Its modules may be changed. Positions are explicit, so that no position is shared between the
    samples of a batch.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model = checkpoint.model
        self.checkpoint = checkpoint
        is_whole = checkpoint.family.body in ("modernbert", "deberta")
        self.run = _whole(checkpoint) if is_whole else _by_layers(checkpoint)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, *types: Tensor) -> Any:
        """Ids, mask and types, int64 (B, T), to logits (B, K), features and embedding (B, H)."""
        known = types[0] if types else torch.zeros_like(input_ids)
        positions = token_positions(self.checkpoint, input_ids)
        outputs = self.run(Inputs(input_ids, attention_mask, known, positions))
        return outputs.logits, outputs.features, mean_of_tokens(outputs.embedded, attention_mask)


def _by_layers(checkpoint: Checkpoint) -> Callable[[Inputs], _Outputs]:
    """The model's own forward, with layers that run on rows.

    Of layers, the first takes (B, T, H), all take the padding as a bias of (B, 1, 1, T), and the
    last gives (B, 1, H), its output at the first token. The bias is a 4-D float, so that no branch
    of the trace depends on data.
    """
    modules = list(checkpoint.model.get_submodule(checkpoint.family.layers).children())
    layers = find_layers(checkpoint)
    for module, layer in zip(modules, layers, strict=True):
        module.forward = _forward(layer, at_first_only=layer is layers[-1])
    embedded, features = _capture_input(modules[0]), _capture_input(checkpoint.head)

    def run(inputs: Inputs) -> _Outputs:
        arguments = {
            "input_ids": inputs.ids,
            "attention_mask": (1.0 - inputs.mask[:, None, None, :].to(torch.float32)) * -1e9,
            "position_ids": inputs.positions,
        }
        if checkpoint.family.body != "distilbert":
            arguments["token_type_ids"] = inputs.types
        logits = checkpoint.model(**arguments).logits
        return _Outputs(logits, features[-1], embedded[-1])

    return run


def _capture_input(module: nn.Module) -> list[Tensor]:
    """A list that holds the input of the module's latest call."""
    latest: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        latest[:] = [inputs[0]]

    module.register_forward_pre_hook(keep)
    return latest


def _whole(checkpoint: Checkpoint) -> Callable[[Inputs], _Outputs]:
    """The forward of the gradient graphs."""

    def run(inputs: Inputs) -> _Outputs:
        if checkpoint.family.body == "deberta":
            found = run_deberta(find_deberta(checkpoint.model), inputs, _act)
        else:
            found = run_modern_bert(find_modern_bert(checkpoint.model), inputs, _act)
        return _Outputs(found.logits, found.features, found.embedded)

    return run


def _act(name: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """An activation by its name; nothing reads the derivative, and the inputs stand for it."""
    from transformers.activations import ACT2FN

    return ACT2FN[name](inputs), inputs


def _forward(layer: EncoderLayer, *, at_first_only: bool) -> Callable[..., Tensor]:
    width = layer.heads * layer.head_size

    def forward(hidden: Tensor, bias: Tensor, *_: object, **__: object) -> Tensor:
        rows = hidden.reshape(-1, width)
        if at_first_only:
            samples = rows.reshape(bias.shape[0], -1, width)
            reading = samples[:, 0]
            context = _attend_at_first(layer, reading, samples, bias)
        else:
            reading = rows
            context = _attend(layer, rows, bias)
        attended = layer.attention_norm(layer.output(context) + reading)
        output: Tensor = layer.output_norm(layer.feed_forward(attended) + attended)
        return output.unsqueeze(1) if at_first_only else output

    return forward


def _attend(layer: EncoderLayer, rows: Tensor, bias: Tensor) -> Tensor:
    """Attention of every token over its sample: (B·T, H) to (B·T, H)."""
    queries, keys, values = (
        part.reshape(bias.shape[0], -1, layer.heads, layer.head_size)
        for part in (layer.query(rows), layer.key(rows), layer.value(rows))
    )
    scores = torch.matmul(queries.transpose(1, 2), keys.permute(0, 2, 3, 1))
    attention = torch.softmax(scores * layer.head_size**-0.5 + bias, dim=-1)
    context = torch.matmul(attention, values.transpose(1, 2))
    return context.transpose(1, 2).reshape(-1, layer.heads * layer.head_size)


def _attend_at_first(layer: EncoderLayer, reading: Tensor, samples: Tensor, bias: Tensor) -> Tensor:
    """Attention of the first token (B, H) over its sample (B, T, H): (B, H).

    With one query a sample, q·(W x) = (qᵀW)·x and Σ p (V x + b) = V (Σ p x) + b cost a product a
    sample where keys and values cost one a token. The bias of the keys adds the same to all scores
    of a query, which softmax does not see.
    """
    shape = (layer.heads, layer.head_size, -1)
    queries = layer.query(reading).reshape(-1, *shape[:2]).transpose(0, 1)  # (heads, B, size)
    directions = torch.matmul(queries, layer.key.weight.reshape(shape))  # (heads, B, H)
    scores = torch.matmul(directions.transpose(0, 1), samples.transpose(1, 2))  # (B, heads, T)
    attention = torch.softmax(scores * layer.head_size**-0.5 + bias[:, 0], dim=-1)
    means = torch.matmul(attention, samples).transpose(0, 1)  # (heads, B, H)
    values = layer.value.weight.reshape(shape).transpose(1, 2)
    context = torch.matmul(means, values).transpose(0, 1)  # (B, heads, size)
    return context.reshape(-1, layer.heads * layer.head_size) + layer.value.bias
