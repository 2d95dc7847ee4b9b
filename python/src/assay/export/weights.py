"""weights.bin: every parameter of the model once, 64-byte aligned, in float32 or int8.

int8 is symmetric and per output channel (Linear) or per row (Embedding): q = round(w / s) with
s = max |w| / 127 over the channel, and the stored weight is q * s. Linear weights are stored
transposed, (in, out), the layout that integer products take.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

ALIGNMENT = 64
QUANTISED_MIN = 1024  # values; smaller tables stay float32: nothing to gain, and they are delicate
ROWS = 8192  # quantised at a time
Precision = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Extent:
    """Bytes of weights.bin."""

    offset: int
    length: int


@dataclass(frozen=True)
class Parameter:
    """One parameter as stored. `shape` is the checkpoint's; transposed, the file holds (in, out).

    `scale`, float32 with one value per row of `shape`, is there for int8 alone.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Literal["float32", "int8"]
    extent: Extent
    transposed: bool
    scale: Extent | None

    @staticmethod
    def from_entry(entry: dict[str, Any]) -> Parameter:
        """The parameter that a manifest's entry describes."""
        scale = entry["scale"] and Extent(entry["scale"]["offset"], entry["scale"]["length"])
        return Parameter(
            name=entry["name"],
            shape=tuple(entry["shape"]),
            dtype=entry["dtype"],
            extent=Extent(entry["offset"], entry["length"]),
            transposed=entry["layout"] == "transposed",
            scale=scale,
        )

    def entry(self) -> dict[str, Any]:
        """The parameter as the manifest writes it."""
        scale = self.scale and {"offset": self.scale.offset, "length": self.scale.length, "axis": 0}
        return {
            "name": self.name,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "offset": self.extent.offset,
            "length": self.extent.length,
            "layout": "transposed" if self.transposed else "as_is",
            "scale": scale,
        }


class StoredWeights(Protocol):
    """A weights.bin, and where each parameter lies in it."""

    @property
    def parameters(self) -> list[Parameter]:
        """Every parameter once."""

    def array(self, extent: Extent, dtype: str) -> NDArray[Any]:
        """The values at an extent (n), of a NumPy dtype."""


@dataclass(frozen=True)
class Weights:
    """A weights.bin as a file."""

    parameters: list[Parameter]
    file: Path

    def array(self, extent: Extent, dtype: str) -> NDArray[Any]:
        """The values at an extent (n), of a NumPy dtype."""
        kind = np.dtype(dtype)
        count = extent.length // kind.itemsize
        return np.fromfile(self.file, kind, count, offset=extent.offset)


@dataclass(frozen=True)
class WeightsInMemory:
    """The bytes of a weights.bin."""

    parameters: list[Parameter]
    content: memoryview

    def array(self, extent: Extent, dtype: str) -> NDArray[Any]:
        """The values at an extent (n), of a NumPy dtype."""
        kind = np.dtype(dtype)
        count = extent.length // kind.itemsize
        return np.frombuffer(self.content, kind, count, offset=extent.offset)


def pack_weights(model: nn.Module, precision: Precision, head: str, file: Path) -> Weights:
    """Writes every parameter of the model to a file; the layer named `head` stays float32."""
    linear = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    parameters = []
    with file.open("wb") as content:
        for name, parameter in model.named_parameters():
            value = _values(parameter)
            transposed = name in linear
            scale = None
            if precision == "int8" and _is_quantised(name, value, head):
                value, scales = quantise(value)
                scale = _append(content, scales)
            extent = _append(content, value.T if transposed else value)
            dtype: Literal["float32", "int8"] = "float32" if scale is None else "int8"
            shape = tuple(parameter.shape)
            parameters.append(Parameter(name, shape, dtype, extent, transposed, scale))
    return Weights(parameters, file)


def pack_weights_as(
    model: nn.Module, parameters: list[Parameter], size: int, file: Path
) -> Weights:
    """Writes the model's parameters to a file of `size` bytes, where `parameters` say.

    Names and shapes are the model's.
    """
    with file.open("wb") as content:
        content.truncate(size)
        _write_weights_as(model, parameters, content)
    return Weights(parameters, file)


def pack_weights_in_memory(
    model: nn.Module, parameters: list[Parameter], size: int
) -> WeightsInMemory:
    """The same without a file."""
    content = BytesIO(bytes(size))
    _write_weights_as(model, parameters, content)
    return WeightsInMemory(parameters, content.getbuffer())


def _write_weights_as(model: nn.Module, parameters: list[Parameter], content: BinaryIO) -> None:
    values = dict(model.named_parameters())
    for parameter in parameters:
        value = _values(values[parameter.name])
        if parameter.scale is not None:
            value, scales = quantise(value)
            _place(content, parameter.scale, scales)
        _place(content, parameter.extent, value.T if parameter.transposed else value)


def load_weights(model: nn.Module, weights: StoredWeights) -> None:
    """Gives a float32 model the parameters as stored, dequantised, one after the other."""
    values = dict(model.named_parameters())
    for parameter in weights.parameters:
        stored = parameter.shape[::-1] if parameter.transposed else parameter.shape
        dtype = "<f4" if parameter.dtype == "float32" else "i1"
        value = weights.array(parameter.extent, dtype).reshape(stored)
        value = np.ascontiguousarray(value.T if parameter.transposed else value, np.float32)
        if parameter.scale is not None:
            value *= weights.array(parameter.scale, "<f4")[:, None]
        values[parameter.name].data = torch.from_numpy(value)


def quantise(value: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A matrix (rows, n) to int8 of the same shape and one scale a row (rows)."""
    levels = np.empty(value.shape, np.int8)
    scales = np.empty(len(value), "<f4")
    for start in range(0, len(value), ROWS):  # a table of 250,000 rows is not copied whole
        rows = slice(start, start + ROWS)
        scale = (np.abs(value[rows]).max(axis=1) / np.float32(127)).astype("<f4")
        scale[scale == 0] = 1
        levels[rows] = np.clip(np.rint(value[rows] / scale[:, None]), -127, 127)
        scales[rows] = scale
    return levels, scales


def _is_quantised(name: str, value: NDArray[np.float32], head: str) -> bool:
    return value.ndim == 2 and value.size >= QUANTISED_MIN and name != f"{head}.weight"


def _values(parameter: nn.Parameter) -> NDArray[Any]:
    return parameter.detach().numpy().astype("<f4", copy=False)


def _append(content: BinaryIO, value: NDArray[Any]) -> Extent:
    content.write(bytes(-content.tell() % ALIGNMENT))
    extent = Extent(content.tell(), value.nbytes)
    content.write(np.ascontiguousarray(value).data)
    return extent


def _place(content: BinaryIO, extent: Extent, value: NDArray[Any]) -> None:
    content.seek(extent.offset)
    content.write(np.ascontiguousarray(value).data)
