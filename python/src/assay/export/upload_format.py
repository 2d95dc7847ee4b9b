"""The bytes of an upload of weights. It needs torch, and neither onnx nor transformers.

An upload is 8 bytes with the length of a header (little-endian), the header (JSON: the part of the
manifest that belongs to the weights), then the bytes of weights.bin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

FORMAT = 1
LENGTH_BYTES = 8


def upload_prefix(header: Mapping[str, Any]) -> bytes:
    """What comes before weights.bin in an upload."""
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return len(text).to_bytes(LENGTH_BYTES, "little") + text


def parameter_differences(model: nn.Module, parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs in names and shapes between a model and the parameters of a manifest."""
    given = {name: list(p.shape) for name, p in model.named_parameters()}
    known = {entry["name"]: entry["shape"] for entry in parameters}
    return [
        f"{name} is {given.get(name, 'absent')} in the checkpoint and "
        f"{known.get(name, 'absent')} in the folder"
        for name in sorted(given.keys() | known.keys())
        if given.get(name) != known.get(name)
    ]
