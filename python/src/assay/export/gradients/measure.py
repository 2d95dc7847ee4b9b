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
from assay.export.gradients.allowed import TOLERANCE, GraphError, figure, hold
from assay.export.gradients.attributions import (
    attribution_batches,
    attribution_error,
    expected_attributions,
    own_attribution_error,
)
from assay.export.gradients.kinds import direction_name, gradient_name
from assay.export.gradients.reference import Expected, Reference, Sums, open_reference
from assay.export.model import Model
from assay.export.progress import stage, steps
from assay.export.sessions import run_graph
from assay.export.texts import Text

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
    model: Model,
    texts: Sequence[Text],
) -> dict[str, Any]:
    """The largest relative error of each gradient graph of the folder, on padded batches.

    The gradients are of the parameters in the model's scope. In float32 a deep model's gradient can
    be further from the truth than the tolerance, whoever computes it. So if a graph exceeds it, the
    same is measured of PyTorch's autograd in float32, and the graph may have `OWN_ERRORS` times its
    error.

    `norms`: of a sample's gram, against its largest entry. `tangent`: of ⟨∇z_k, v⟩ along a random
    direction v, against its standard deviation ‖∇z_k‖. `accumulate`: of a parameter's gradient
    summed over many texts with random coefficients, against the sum of the samples' norms; once
    over the batches of several texts, and once over the texts that are too long to share one.
    `attribution`: of a text's attributions, against its largest ‖e − e0‖·‖∂z/∂e‖; folders of
    earlier exporters lack it.

    Raises:
        ExportError: an error exceeds what is allowed; names the graph and its worst sample.
    """
    batches = _batches(model, texts)
    groups = [group for group in _by_company(batches) if group]
    with tempfile.TemporaryDirectory(prefix="sums-", dir=folder) as holder:
        sums = _autograd(model, groups, torch.float64, Path(holder))
        ordered = [batch for group in groups for batch in group]
        expected = [rows for group in sums for rows in group.rows]
        direction = {direction_name(name): value for name, value in _direction(model).items()}
        found = {
            "norms": _rows_error(folder / graphs["norms"], ordered, expected, {}),
            "tangent": _rows_error(folder / graphs["tangent"], ordered, expected, direction),
        }
        del direction
        found["accumulate"] = _sums_error(folder / graphs["accumulate"], groups, sums)
        exceeds = any(not error.largest <= TOLERANCE for error in found.values())
        own = _own_errors(model, groups, sums, Path(holder)) if exceeds else {}
    if "attribution" in graphs:
        attributed = attribution_batches(model, texts)
        truth = expected_attributions(model.checkpoint, attributed, torch.float64)
        error = attribution_error(folder / graphs["attribution"], attributed, truth)
        found["attribution"] = error
        if not error.largest <= TOLERANCE:
            own["attribution"] = own_attribution_error(model.checkpoint, attributed, truth)
    for kind, error in found.items():
        hold(graphs[kind], error, own.get(kind, 0.0))
    return {
        **{f"{kind}_error_max": figure(error.largest) for kind, error in found.items()},
        **({"pytorch_float32_error_max": {k: figure(e) for k, e in own.items()}} if own else {}),
        "texts": len(texts),
    }


def _direction(model: Model) -> dict[str, Array]:
    """A random direction by parameter of the scope, always the same one."""
    random = np.random.default_rng(1)
    return {
        name: random.standard_normal(parameter.shape, np.float32)
        for name, parameter in model.gradient_parameters().items()
    }


def _autograd(
    model: Model, groups: Sequence[Sequence[_Batch]], dtype: torch.dtype, holder: Path
) -> list[_Sums]:
    """What autograd gives for each group; its sums are written to the folder."""
    texts = sum(len(batch.texts) for group in groups for batch in group)
    name = str(dtype).removeprefix("torch.")
    with (
        stage(f"PyTorch's gradients of {texts} texts, in {name}"),
        open_reference(model.checkpoint, _direction(model), dtype) as reference,
    ):
        return [
            _expect(
                reference,
                Sums.zeros(model.gradient_parameters()),
                group,
                holder / f"{name}-{index}",
            )
            for index, group in enumerate(groups)
        ]


def _own_errors(
    model: Model,
    groups: Sequence[Sequence[_Batch]],
    expected: Sequence[_Sums],
    holder: Path,
) -> dict[str, float]:
    """The largest errors of PyTorch's autograd in float32, by the graph that gives the same."""
    found = _autograd(model, groups, torch.float32, holder)
    truth = [rows for group in expected for rows in group.rows]
    own = [rows for group in found for rows in group.rows]
    gram = _gram_errors(torch.stack([rows.gram for rows in own]), truth)
    tangent = _tangent_errors(torch.stack([rows.tangent for rows in own]), truth)
    sums = [
        float(np.linalg.norm(actual - value)) / scale
        for group, group_found in zip(expected, found, strict=True)
        for actual, value, scale in zip(
            group_found.read(), group.read(), group.scales(), strict=True
        )
    ]
    norms = float(gram.max())
    return {
        "norms": norms,
        "tangent": max(norms, float(tangent.max())),
        "accumulate": max(sums),
    }


def _batches(model: Model, texts: Sequence[Text]) -> list[_Batch]:
    checkpoint, tokenizer, tokens_max = model.checkpoint, model.tokenizer, model.tokens_max
    random = np.random.default_rng(0)
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
) -> GraphError:
    """The largest error of a gram, and of a tangent where there is a direction."""
    kinds = ["gram", *(["tangent"] if direction else [])]
    texts = [text for batch in batches for text in batch.texts]
    feeds = ({**batch.feeds(), **direction} for batch in steps(batches, "batches"))
    with stage(f"running {graph.name} on {len(texts)} texts"):
        outputs = list(run_graph(graph, kinds, feeds))
    found = [torch.from_numpy(np.concatenate(part)) for part in zip(*outputs, strict=True)]
    errors = _gram_errors(found[0], expected)
    if direction:
        errors = torch.maximum(errors, _tangent_errors(found[1], expected))
    worst = int(_as_largest(errors).argmax())
    return GraphError(float(errors[worst]), f"text {texts[worst].entry()}")


def _gram_errors(found: Tensor, expected: Sequence[Expected]) -> Tensor:
    """Of each sample's gram (N, K, K), relative to its largest entry."""
    gram = torch.stack([rows.gram for rows in expected])
    return _error(found, gram, gram.abs().amax((1, 2)))


def _tangent_errors(found: Tensor, expected: Sequence[Expected]) -> Tensor:
    """Of each sample's tangent (N, K), relative to the largest ‖∇z_k‖."""
    norms = [rows.gram.diagonal().sqrt().amax() for rows in expected]
    tangent = torch.stack([rows.tangent for rows in expected])
    return _error(found, tangent, torch.stack(norms))


def _sums_error(
    graph: Path, groups: Sequence[Sequence[_Batch]], expected: Sequence[_Sums]
) -> GraphError:
    """The largest error of a parameter's gradient, summed over a group of batches."""
    batches = [batch for group in groups for batch in group]
    feeds = (
        {**batch.feeds(), "coefficient": batch.coefficient} for batch in steps(batches, "batches")
    )
    largest = GraphError(0.0, "")
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
            error = GraphError(float(errors[worst]), list(sums.shapes)[worst])
            if not error.largest <= largest.largest:
                largest = error
    return largest


def _error(actual: Tensor, expected: Tensor, scale: Tensor) -> Tensor:
    """The largest difference of each sample (N), relative to `scale` (N)."""
    return (actual.double() - expected).abs().flatten(1).amax(1) / scale


def _as_largest(errors: Tensor) -> Tensor:
    """What is no number is the largest error."""
    return torch.nan_to_num(errors, nan=math.inf)
