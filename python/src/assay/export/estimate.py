"""What an export takes of memory, from the shapes of the model, before a weight is loaded.

The figures were fitted to measured peaks (python/tests/export/test_sizes.py holds them): at least
what is measured, and at most half as much again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.export.families import FAMILIES, Checkpoint
from assay.export.gradients.network import find_network
from assay.export.gradients.scope import Scope
from assay.export.memory import GIGABYTE, Less, check_memory
from assay.export.progress import log

LIBRARIES = 700_000_000  # torch, transformers and ONNX Runtime
FLOAT = 4  # bytes
WITHOUT_GRADIENTS = "--no-gradient-graphs leaves norms, tangent and accumulate out"


def check_fits(
    source: Path, tokens_max: int | None, scope_of: Callable[[Checkpoint], Scope | None], less: str
) -> None:
    """Refuses to export a checkpoint that will not fit into memory.

    `scope_of` answers the scope of the gradient graphs that are made or run; None where there are
    none. `less` says how to do without them. A checkpoint that is not understood passes: what loads
    it refuses it.

    Raises:
        ExportError: says how much is needed, how much there is, and what to do; or the scope is
            refused.
    """
    sketch = sketch_checkpoint(source)
    if sketch is None:
        return
    tokens = min(tokens_max or sketch.positions_max, sketch.positions_max)
    needed, least = (memory_needed(sketch, tokens, scope) for scope in (scope_of(sketch), None))
    log.info("this takes up to about %.1f GB of memory", needed / GIGABYTE)
    check_memory(needed, Less(less, least) if least < needed else None)


def sketch_checkpoint(folder: Path) -> Checkpoint | None:
    """A checkpoint with shapes and without weights; None where `load_checkpoint` will refuse it."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    loader: Any = AutoModelForSequenceClassification
    try:
        config = AutoConfig.from_pretrained(folder)
    except (OSError, ValueError, KeyError):
        return None
    if config.model_type not in FAMILIES:
        return None
    with torch.device("meta"):
        model = loader.from_config(config, attn_implementation="eager", dtype=torch.float32)
    return Checkpoint(model, FAMILIES[config.model_type], config)


def memory_needed(sketch: Checkpoint, tokens_max: int, scope: Scope | None) -> int:
    """The most bytes that the export of a model takes at once; without a scope it makes no gradient
    graphs."""
    sizes = [parameter.numel() * FLOAT for parameter in sketch.model.parameters()]
    weights, largest = sum(sizes), max(sizes)
    if scope is None:
        # the model, and a session that lays its weights out anew
        return LIBRARIES + 2 * weights + largest + _activations(sketch, tokens_max, 0)
    parameters = dict(sketch.model.named_parameters())
    scoped = sum(parameters[name].numel() * FLOAT for name in scope.parameters)
    activations = _activations(sketch, tokens_max, _layers_pulled(sketch, scope))
    # the model in float64, a direction and the sums; or the model, a direction or the sums, and a
    # session; a sum over a table is made twice
    return LIBRARIES + 150_000_000 + 2 * weights + 5 * scoped // 2 + largest + activations


def _layers_pulled(sketch: Checkpoint, scope: Scope) -> int:
    """How many layers, from the last one down, the pull-back passes."""
    network = find_network(sketch)
    wanted = set(scope.parameters)
    names = {id(parameter): name for name, parameter in sketch.model.named_parameters()}

    def wanted_of(modules: Iterable[nn.Module]) -> set[str]:
        return {names[id(p)] for m in modules for p in m.parameters(recurse=False)} & wanted

    layers = [wanted_of(layer.modules()) for layer in network.layers]
    above = wanted_of(network.top_modules())
    if wanted - above.union(*layers):
        return len(layers)
    return max((len(layers) - at for at, found in enumerate(layers) if found), default=0)


def _activations(sketch: Checkpoint, tokens_max: int, pulled: int) -> int:
    """What the layers of one text of full length keep: the last ones, until the gradients have
    passed them; of the others a quarter, as they run."""
    layers = list(sketch.model.get_submodule(sketch.family.layers).children())
    heads = int(sketch.config.num_attention_heads)
    kept = []
    for layer in layers:
        widths = [m.out_features for m in layer.modules() if isinstance(m, nn.Linear)]
        values = tokens_max * (sum(widths) + max(widths)) + 2 * heads * tokens_max**2
        kept.append(FLOAT * values)
    first = len(kept) - pulled
    return sum(kept[first:]) + sum(kept[:first]) // 4
