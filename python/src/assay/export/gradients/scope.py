"""The parameters that the gradient graphs are of: all of them, or a part near the logits."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from assay.export.errors import ExportError
from assay.export.families import Checkpoint
from assay.export.gradients.network import AnyNetwork, find_network, why_unsupported

ALL = "all"
ALL_PARAMETERS_MAX = 50_000_000  # a larger model has DEFAULT_ABOVE where nobody says a scope
DEFAULT_ABOVE = "last:2"
NAME_MAX = 256  # characters of it, which the manifest holds
NEAR = 3  # names that a refusal tells


@dataclass(frozen=True)
class Scope:
    """The scope by its name, with the names of its parameters in the model's order."""

    name: str
    parameters: tuple[str, ...]

    def entry(self) -> dict[str, Any]:
        """The scope as the manifest writes it. That of all parameters does not list them."""
        listed = {} if self.name == ALL else {"parameters": list(self.parameters)}
        return {"name": self.name, **listed}


def find_scope(checkpoint: Checkpoint, asked: str | None) -> Scope:
    """The scope that is asked for, of a checkpoint that gradient graphs are known for.

    `all`; `head`: the last linear layer and the one before it, with its norm; `last:N`: the last N
    encoder layers, and what is above them; or glob patterns over names of parameters, with commas
    between them. None is `all` up to 50 million parameters, and `last:2` above. A scope that has
    every parameter is `all`, however it was asked for.

    Raises:
        ExportError: no parameter is in the scope, or it is none of these.
    """
    parameters = dict(checkpoint.model.named_parameters())
    if asked is None:
        asked = default_scope(sum(parameter.numel() for parameter in parameters.values()))
    network = find_network(checkpoint)
    names = _names(asked, list(parameters), network, checkpoint.model)
    return Scope(ALL if len(names) == len(parameters) else asked, names)


def chosen_scope(
    checkpoint: Checkpoint, asked: str | None, *, gradient_graphs: bool
) -> Scope | None:
    """What `find_scope` finds; None where no gradient graphs are wanted or none are supported."""
    if not gradient_graphs or why_unsupported(checkpoint) is not None:
        return None
    return find_scope(checkpoint, asked)


def default_scope(parameters: int) -> str:
    """The name of the scope of a model with so many parameters, where nobody says one."""
    return ALL if parameters <= ALL_PARAMETERS_MAX else DEFAULT_ABOVE


def scope_of_manifest(manifest: Mapping[str, Any]) -> Scope | None:
    """The scope of a folder's gradient graphs; None where it has none.

    A folder of an earlier exporter does not say it: its graphs are of all parameters.
    """
    if "norms" not in manifest["graphs"]:
        return None
    entry = manifest.get("gradient_scope", {"name": ALL})
    every = [parameter["name"] for parameter in manifest["parameters"]]
    return Scope(entry["name"], tuple(entry.get("parameters", every)))


def _names(asked: str, names: list[str], network: AnyNetwork, model: nn.Module) -> tuple[str, ...]:
    if asked == ALL:
        return tuple(names)
    if asked == "head":
        return _of_modules(network.head_modules(), model)
    if asked == "adapters":
        raise ExportError(
            "--gradient-scope adapters is not supported yet: an adapter is merged into its base "
            "model. Name the weights that it changes instead, for example '*.query.*,*.value.*'"
        )
    if asked.startswith("last:"):
        return _of_modules(_last_modules(asked, network), model)
    return _matching(asked, names)


def _last_modules(asked: str, network: AnyNetwork) -> list[nn.Module]:
    count, layers = asked.removeprefix("last:"), network.layers
    if not re.fullmatch("[0-9]+", count) or not 1 <= int(count) <= len(layers):
        raise ExportError(
            f"--gradient-scope {asked}: N of last:N is a number of layers, from 1 to "
            f"{len(layers)} for this model (head has no layer)"
        )
    last = layers[-int(count) :]
    return [*(part for layer in last for part in layer.modules()), *network.top_modules()]


def _of_modules(modules: Iterable[nn.Module], model: nn.Module) -> tuple[str, ...]:
    inside = {id(p) for module in modules for p in module.parameters(recurse=False)}
    return tuple(name for name, p in model.named_parameters() if id(p) in inside)


def _matching(asked: str, names: list[str]) -> tuple[str, ...]:
    if len(asked) > NAME_MAX:
        raise ExportError(f"--gradient-scope has {len(asked)} characters, of at most {NAME_MAX}")
    matched: set[str] = set()
    for pattern in asked.split(","):
        found = [name for name in names if fnmatchcase(name, pattern)]
        if not found:
            raise ExportError(
                f'--gradient-scope: no parameter is named "{pattern}". A pattern matches a whole '
                f"name, with * for any characters. {_near(pattern, names)}"
            )
        matched.update(found)
    return tuple(name for name in names if name in matched)


def _near(pattern: str, names: list[str]) -> str:
    """The names that the pattern is most like, in as many of their parts as it has."""
    plain = pattern.strip("*.")
    near = sorted(names, key=lambda name: -_likeness(plain, name))[:NEAR]
    return f"Near to it: {', '.join(near)}"


def _likeness(plain: str, name: str) -> float:
    parts, count = name.split("."), plain.count(".") + 1
    windows = [parts[at : at + count] for at in range(max(1, len(parts) - count + 1))]
    return max(difflib.SequenceMatcher(None, plain, ".".join(w)).ratio() for w in windows)
