"""The model whose weights are pushed: a module as it is trained, or a checkpoint's folder."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assay.client.errors import AssayError

WRAPPERS = ("module", "_orig_mod")  # of DataParallel and its kin, and of torch.compile


@dataclass(frozen=True)
class Source:
    """A copy of the model, on the CPU, in float32 and in evaluation mode, and its tokeniser."""

    model: nn.Module
    tokenizer: Any


def read_source(source: Any, tokenizer: Any | None) -> Source:
    """Copies a sequence classification model or a CrossEncoder, or loads a checkpoint.

    The model that is given stays as it is, also on its device and in training mode.

    Raises:
        AssayError: there is no tokeniser, or the checkpoint lacks weights (`unsuitable_model`).
    """
    if isinstance(source, (str, PathLike)):
        model, own = _load(Path(source))
    elif isinstance(source, nn.Module):
        model, own = unwrapped(source)
    else:
        raise TypeError(
            f"weights of a {type(source).__name__}: pass a torch module or a checkpoint's folder"
        )
    found = tokenizer if tokenizer is not None else own
    if found is None:
        raise AssayError(
            "unsuitable_model",
            "the self-test needs the model's tokeniser: pass tokenizer=, the one that you train "
            "with",
        )
    return Source(_on_cpu(model), found)


def unwrapped(module: Any) -> tuple[nn.Module, Any | None]:
    """The module that holds the manifest's parameters, and the tokeniser that it carries."""
    while inner := next((getattr(module, w) for w in WRAPPERS if hasattr(module, w)), None):
        module = inner
    if type(module).__name__ == "CrossEncoder":
        return module.model, module.tokenizer
    return module, None


def _on_cpu(model: nn.Module) -> nn.Module:
    """A copy that takes no memory of the model's device."""
    parts: dict[int, Any] = {}
    for parameter in model.parameters():
        value = parameter.detach().to("cpu", torch.float32, copy=True)
        parts[id(parameter)] = nn.Parameter(value, requires_grad=False)
    for buffer in model.buffers():
        parts[id(buffer)] = buffer.detach().to("cpu", copy=True)
    copied: nn.Module = copy.deepcopy(model, parts)
    return copied.eval()


def _load(folder: Path) -> tuple[nn.Module, Any]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise AssayError(
            "unsuitable_model",
            f"{folder} holds no config.json: pass the folder of a checkpoint (merge an adapter "
            "into its base model first)",
        )
    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True
    )
    missing = sorted(report["missing_keys"])
    if missing:
        raise AssayError(
            "unsuitable_model",
            f"{folder} lacks {', '.join(missing[:5])}: is it a sequence classification model?",
        )
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    return model, tokenizer
