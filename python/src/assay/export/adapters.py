"""LoRA adapters (Hu et al., arXiv:2106.09685) as PEFT saves them, merged into their base model.

W + B·A·alpha/r needs no PEFT. What a folder holds beside LoRA's two matrices, a head or biases that
were trained whole, replaces the base's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay.export.errors import ExportError

PREFIX = "base_model.model."
MERGE = "merge it with peft (merge_and_unload, save_pretrained) and export the result"
PARTS = {  # the ends of names, of A and of B
    "lora_A.weight": "lora_B.weight",
    "lora_embedding_A": "lora_embedding_B",
}


@dataclass(frozen=True)
class Adapter:
    """An adapter's settings, the folder of its base model, and its tensors by the model's names.

    `whole` replace parameters; `pairs` are A (r, in) and B (out, r) of a weight, of a table's rows
    as inputs.
    """

    base: Path
    settings: Mapping[str, Any]
    whole: Mapping[str, Tensor]
    pairs: Mapping[str, tuple[Tensor, Tensor]]

    def merge(self, model: nn.Module) -> None:
        """Changes the base model, in place.

        Raises:
            ExportError: the base has no such parameter, or one of another shape.
        """
        parameters = dict(model.named_parameters())
        tables = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
        for name, value in self.whole.items():
            self._parameter(parameters, name, value).data = value.clone()
        for name, (down, up) in self.pairs.items():
            change = up @ down * self._scale(name.removesuffix(".weight"), len(down))
            change = change.T if name in tables else change
            parameter = self._parameter(parameters, name, change)
            parameter.data = parameter.data + change

    def _parameter(self, parameters: Mapping[str, Tensor], name: str, value: Tensor) -> Tensor:
        if name not in parameters:
            raise ExportError(f"the adapter changes {name}, which {self.base} does not have")
        if parameters[name].shape != value.shape:
            raise ExportError(
                f"the adapter's {name} is {list(value.shape)}, that of {self.base} is "
                f"{list(parameters[name].shape)}"
            )
        return parameters[name]

    def _scale(self, module: str, rank: int) -> float:
        alpha = self._alpha(module)
        return alpha / (math.sqrt(rank) if self.settings.get("use_rslora") else rank)

    def _alpha(self, module: str) -> float:
        """That of the first pattern which the module's name ends in, else everyone's."""
        for ending, value in (self.settings.get("alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({ending})", module):
                return float(value)
        return float(self.settings["lora_alpha"])


def read_adapter(folder: Path) -> Adapter | None:
    """The adapter that a folder holds; None without adapter_config.json.

    Raises:
        ExportError: it is no LoRA, changes the model in another way too, or its base model is not
            on this machine.
    """
    file = folder / "adapter_config.json"
    if not file.is_file():
        return None
    settings = json.loads(file.read_text("utf-8"))
    _check_settings(settings)
    whole: dict[str, Tensor] = {}
    sides: dict[str, dict[str, Tensor]] = {}
    for key, value in _read_tensors(folder).items():
        name = key.removeprefix(PREFIX)
        if ".original_module." in name:  # saved with the biases, and replaced when it runs
            continue
        end = next((e for pair in PARTS.items() for e in pair if name.endswith(f".{e}")), None)
        if end is not None:
            target = name.removesuffix(f".{end}").replace(".base_layer", "") + ".weight"
            sides.setdefault(target, {})[end] = value
        elif "lora_" in name:
            raise ExportError(f"the adapter holds {key}, which no plain LoRA has: {MERGE}")
        else:
            name = re.sub(r"\.(base_layer|modules_to_save(\.default)?)\.", ".", name)
            whole[name] = value
    pairs = {}
    for name, side in sides.items():
        down, up = next(((a, b) for a, b in PARTS.items() if a in side and b in side), (None, None))
        if down is None or up is None:
            raise ExportError(f"the adapter holds {', '.join(side)} of {name} without the other")
        pairs[name] = side[down], side[up]
    return Adapter(_base(folder, settings), settings, whole, pairs)


def base_of(folder: Path) -> Path:
    """The folder of the base model where a folder holds an adapter, else the folder."""
    adapter = read_adapter(folder)
    return folder if adapter is None else adapter.base


def _check_settings(settings: Mapping[str, Any]) -> None:
    kind = settings.get("peft_type")
    if kind != "LORA":
        raise ExportError(f"an adapter of kind {kind}: only LORA is merged; {MERGE}")
    for name in ("use_dora", "fan_in_fan_out", "layer_replication", "use_qalora"):
        if settings.get(name):
            raise ExportError(f"the adapter's {name} is set: only a plain LoRA is merged; {MERGE}")
    start = settings.get("init_lora_weights", True)
    if start not in (True, False, "gaussian"):
        raise ExportError(
            f'the adapter began as init_lora_weights "{start}", which may change the base: {MERGE}'
        )


def _base(folder: Path, settings: Mapping[str, Any]) -> Path:
    named = settings.get("base_model_name_or_path") or ""
    for path in (folder / named, Path(named)):
        if named and (path / "adapter_config.json").is_file():
            raise ExportError(f"the adapter's base model {path} is an adapter itself: {MERGE}")
        if named and (path / "config.json").is_file():
            return path
    raise ExportError(
        f'the adapter\'s base model "{named}" is no folder with a config.json on this machine, and '
        "the exporter downloads nothing: set base_model_name_or_path in adapter_config.json to the "
        "base model's folder"
    )


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    """The saved tensors, in float32."""
    from safetensors.torch import load_file

    if (folder / "adapter_model.safetensors").is_file():
        tensors = load_file(folder / "adapter_model.safetensors")
    elif (folder / "adapter_model.bin").is_file():
        tensors = torch.load(folder / "adapter_model.bin", map_location="cpu", weights_only=True)
    else:
        raise ExportError(f"{folder} holds adapter_config.json without adapter_model.safetensors")
    return {name: value.to(torch.float32) for name, value in tensors.items()}
