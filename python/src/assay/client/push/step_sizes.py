"""The step sizes of an Adam optimiser, in the order of a direction's entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay.client.call import Json
from assay.client.errors import AssayError
from assay.client.push.source import unwrapped


def step_sizes(optimiser: Any, module: Any, manifest: Json, *, squared: bool) -> Iterator[bytes]:
    """D = (η_p/η)/(√v̂ + ε) of each entry in the gradient scope, as float32, by parameter.

    v̂ is the second moment without its bias, v/(1 − β₂ᵗ), or the largest so far with `amsgrad`
    (Kingma & Ba 2015; Reddi et al. 2018). η_p is the learning rate of the parameter's group, and η
    that of the first group. A parameter that the optimiser does not train does not move: D = 0.
    `squared` gives D², for the whitened product.

    Raises:
        AssayError: the optimiser is no Adam or has taken no step, or the module has other
            parameters than the manifest (`unsuitable_optimiser`, `unsuitable_model`).
    """
    groups = _groups(optimiser)
    model, _ = unwrapped(module)
    own = dict(model.named_parameters())
    for entry in _in_scope(manifest):
        parameter = own.get(entry["name"])
        if parameter is None or list(parameter.shape) != entry["shape"]:
            raise AssayError(
                "unsuitable_model",
                f"the module has no parameter {entry['name']} of shape {entry['shape']}: pass the "
                f"module that is trained as {manifest['name']}",
            )
        size = _size(parameter, groups, optimiser)
        scale = size.square() if squared else size
        yield scale.contiguous().numpy().astype("<f4").tobytes()


def _groups(optimiser: Any) -> dict[Tensor, dict[str, Any]]:
    """The group of each parameter that is trained."""
    # Accelerate's and others' optimisers hold torch's.
    groups: Sequence[dict[str, Any]] = getattr(optimiser, "param_groups", [])
    if not groups or any("betas" not in group or "eps" not in group for group in groups):
        raise AssayError(
            "unsuitable_optimiser",
            f"{type(optimiser).__name__} is no Adam: it has no betas and eps. Pass "
            "torch.optim.Adam or AdamW, or send a scale of your own",
        )
    return {parameter: group for group in groups for parameter in group["params"]}


def _size(parameter: nn.Parameter, groups: dict[Tensor, dict[str, Any]], optimiser: Any) -> Tensor:
    group = groups.get(parameter)
    if group is None:
        return torch.zeros(parameter.shape)
    state = optimiser.state.get(parameter, {})
    if "exp_avg_sq" not in state:
        if not parameter.requires_grad:
            return torch.zeros(parameter.shape)
        raise AssayError(
            "unsuitable_optimiser",
            "the optimiser has no second moments of a parameter: let it take a step first",
        )
    rate = float(group["lr"]) / float(next(iter(groups.values()))["lr"])
    moment = state["max_exp_avg_sq"] if group.get("amsgrad") else state["exp_avg_sq"]
    unbiased = moment.detach().double().cpu() / (1 - group["betas"][1] ** float(state["step"]))
    sizes: Tensor = rate / (unbiased.sqrt() + group["eps"])
    return sizes.float()


def _in_scope(manifest: Json) -> list[Json]:
    parameters: list[Json] = manifest["parameters"]
    names = set(manifest.get("gradient_scope", {}).get("parameters", []))
    return [entry for entry in parameters if not names or entry["name"] in names]
