"""The gradient graphs against PyTorch's autograd, one graph open at a time."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.export.batches import plan_batches
from assay.export.errors import ExportError
from assay.export.families import Checkpoint
from assay.export.gradients.kinds import direction_name, gradient_name
from assay.export.gradients.reference import Expected, Reference, Sums, open_reference
from assay.export.progress import stage, steps
from assay.export.sessions import run_graph
from assay.export.texts import Text
from assay.export.tokenizer import TextTokenizer

TOLERANCE = 1e-5  # of a relative error
LEAST = 1e-3  # of all parameters: a gradient smaller than that is held against that
Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Batch:
    """Texts with their inputs, int64 (B, T), and coefficients (B, K)."""

    texts: list[Text]
    inputs: dict[str, Tensor]
    coefficient: Array

    def feeds(self) -> dict[str, Any]:
        """The inputs of a graph."""
        return {name: value.numpy() for name, value in self.inputs.items()}


@dataclass(frozen=True)
class _Sums:
    """What autograd gives for a group of batches.

    `rows` are of its texts (N), `norms` and `shapes` of the parameters; `file` holds the summed
    gradients, float32, in the order of `shapes`.
    """

    rows: list[Expected]
    norms: dict[str, float]
    shapes: dict[str, tuple[int, ...]]
    file: Path

    def read(self) -> list[Array]:
        """The summed gradients."""
        with self.file.open("rb") as content:
            return [
                np.fromfile(content, np.float32, math.prod(shape)).reshape(shape)
                for shape in self.shapes.values()
            ]

    def scales(self) -> list[float]:
        """What an error of each parameter's gradient is relative to."""
        least = LEAST * math.sqrt(sum(norm * norm for norm in self.norms.values()))
        return [max(norm, least) for norm in self.norms.values()]


def measure_gradients(
    folder: Path,
    graphs: Mapping[str, str],
    checkpoint: Checkpoint,
    tokenizer: TextTokenizer,
    texts: Sequence[Text],
    tokens_max: int,
) -> dict[str, Any]:
    """The largest relative error of each gradient graph of the folder, on padded batches.

    The checkpoint holds the weights as stored.

    `norms`: of a sample's gram, against its largest entry. `tangent`: of ⟨∇z_k, v⟩ along a random
    direction v, against its standard deviation ‖∇z_k‖. `accumulate`: of a parameter's gradient
    summed over many texts with random coefficients, against the sum of the samples' norms; once
    over the batches of several texts, and once over the texts that are too long to share one.

    Raises:
        ExportError: an error exceeds the tolerance; names the graph and its worst sample.
    """
    random = np.random.default_rng(0)
    batches = _batches(checkpoint, tokenizer, texts, tokens_max, random)
    direction = {
        name: random.standard_normal(parameter.shape, np.float32)
        for name, parameter in checkpoint.model.named_parameters()
    }
    groups = [group for group in _by_company(batches) if group]
    with tempfile.TemporaryDirectory(prefix="sums-", dir=folder) as holder:
        with (
            stage(f"PyTorch's gradients of {len(texts)} texts, in float64"),
            open_reference(checkpoint, direction) as reference,
        ):
            sums = [
                _expect(reference, Sums.zeros(checkpoint.model), group, Path(holder) / str(index))
                for index, group in enumerate(groups)
            ]
        ordered = [batch for group in groups for batch in group]
        expected = [rows for group in sums for rows in group.rows]
        errors = {
            "norms": _rows_error(folder / graphs["norms"], ordered, expected, {}),
            "tangent": _rows_error(
                folder / graphs["tangent"],
                ordered,
                expected,
                {direction_name(name): value for name, value in direction.items()},
            ),
        }
        del direction, reference
        errors["accumulate"] = _sums_error(folder / graphs["accumulate"], groups, sums)
    return {
        **{f"{kind}_error_max": float(f"{error:.4g}") for kind, error in errors.items()},
        "texts": len(texts),
    }


def _batches(
    checkpoint: Checkpoint,
    tokenizer: TextTokenizer,
    texts: Sequence[Text],
    tokens_max: int,
    random: np.random.Generator,
) -> list[_Batch]:
    lengths = [len(tokenizer.encode(text, tokens_max)[0]) for text in texts]
    batches = []
    for plan in plan_batches(lengths):
        chosen = [texts[index] for index in plan]
        inputs = tokenizer.batch(chosen, tokens_max)
        given = {name: inputs[name] for name in checkpoint.family.inputs}
        coefficient = random.standard_normal((len(chosen), checkpoint.classes), np.float32)
        batches.append(_Batch(chosen, given, coefficient))
    return batches


def _by_company(batches: Sequence[_Batch]) -> list[list[_Batch]]:
    """Those of several texts, and those of one."""
    return [
        [batch for batch in batches if len(batch.texts) > 1],
        [batch for batch in batches if len(batch.texts) == 1],
    ]


def _expect(reference: Reference, sums: Sums, group: Sequence[_Batch], file: Path) -> _Sums:
    """Each sample by itself, without padding. The sums are written to the file."""
    rows = []
    for batch in steps(group, "batches"):
        for row, length in enumerate(batch.inputs["attention_mask"].sum(1).tolist()):
            one = {name: value[row : row + 1, :length] for name, value in batch.inputs.items()}
            rows.append(reference.expect(one, batch.coefficient[row], sums))
    with file.open("wb") as content:
        for value in sums.sums.values():
            value.numpy().tofile(content)
    shapes = {name: tuple(value.shape) for name, value in sums.sums.items()}
    return _Sums(rows, sums.norms, shapes, file)


def _rows_error(
    graph: Path,
    batches: Sequence[_Batch],
    expected: Sequence[Expected],
    direction: Mapping[str, Array],
) -> float:
    """The largest error of a gram, and of a tangent where there is a direction."""
    kinds = ["gram", *(["tangent"] if direction else [])]
    texts = [text for batch in batches for text in batch.texts]
    feeds = ({**batch.feeds(), **direction} for batch in steps(batches, "batches"))
    with stage(f"running {graph.name} on {len(texts)} texts"):
        outputs = list(run_graph(graph, kinds, feeds))
    found = [torch.from_numpy(np.concatenate(part)) for part in zip(*outputs, strict=True)]
    gram = torch.stack([rows.gram for rows in expected])
    errors = _error(found[0], gram, gram.abs().amax((1, 2)))
    if direction:
        tangent = torch.stack([rows.tangent for rows in expected])
        norms = gram.diagonal(dim1=1, dim2=2).sqrt().amax(1)
        errors = torch.maximum(errors, _error(found[1], tangent, norms))
    worst = int(_as_largest(errors).argmax())
    return _held(graph, float(errors[worst]), f"text {texts[worst].entry()}")


def _sums_error(
    graph: Path, groups: Sequence[Sequence[_Batch]], expected: Sequence[_Sums]
) -> float:
    """The largest error of a parameter's gradient, summed over a group of batches."""
    batches = [batch for group in groups for batch in group]
    feeds = (
        {**batch.feeds(), "coefficient": batch.coefficient} for batch in steps(batches, "batches")
    )
    largest = 0.0
    with stage(f"running {graph.name} on {sum(len(batch.texts) for batch in batches)} texts"):
        outputs = run_graph(graph, [gradient_name(name) for name in expected[0].shapes], feeds)
        for group, sums in zip(groups, expected, strict=True):
            difference = sums.read()
            for _ in group:
                found = next(outputs)
                for value in difference:
                    np.subtract(value, found.pop(0), out=value)
            errors = torch.tensor(
                [
                    float(np.linalg.norm(value)) / scale
                    for value, scale in zip(difference, sums.scales(), strict=True)
                ]
            )
            del difference  # before the next group's are read
            worst = int(_as_largest(errors).argmax())
            name = list(sums.shapes)[worst]
            largest = max(largest, _held(graph, float(errors[worst]), name))
    return largest


def _held(graph: Path, error: float, where: str) -> float:
    """The error, within the tolerance."""
    if not error <= TOLERANCE:
        raise ExportError(
            f"{graph.name} differs from PyTorch's gradients: relative error {error:.3g} for "
            f"{where[:120]}"
        )
    return error


def _error(actual: Tensor, expected: Tensor, scale: Tensor) -> Tensor:
    """The largest difference of each sample (N), relative to `scale` (N)."""
    return (actual.double() - expected).abs().flatten(1).amax(1) / scale


def _as_largest(errors: Tensor) -> Tensor:
    """What is no number is the largest error."""
    return torch.nan_to_num(errors, nan=math.inf)
