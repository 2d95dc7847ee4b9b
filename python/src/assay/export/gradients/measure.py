"""The gradient graphs against PyTorch's autograd, one sample at a time in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.export.check import BATCH
from assay.export.errors import ExportError
from assay.export.families import Checkpoint
from assay.export.gradients.kinds import direction_name, gradient_name
from assay.export.texts import Text
from assay.export.tokenizer import TextTokenizer

TOLERANCE = 1e-5  # of a relative error
LEAST = 1e-3  # of all parameters: a gradient smaller than that is held against that
Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Expected:
    """Of texts: gram (N, K, K), tangent (N, K) and, by parameter, Σ_i Σ_k c_ik ∇z_ik and the sum of
    the summands' norms; in float64."""

    gram: Tensor
    tangent: Tensor
    sums: dict[str, Tensor]
    norms: dict[str, float]


def measure_gradients(
    folder: Path,
    graphs: Mapping[str, str],
    checkpoint: Checkpoint,
    stored: Mapping[str, Tensor],
    tokenizer: TextTokenizer,
    texts: Sequence[Text],
    tokens_max: int,
) -> dict[str, Any]:
    """The largest relative error of each gradient graph of the folder, on padded batches.

    `norms`: of a sample's gram, against its largest entry. `tangent`: of ⟨∇z_k, v⟩ along a random
    direction v, against its standard deviation ‖∇z_k‖. `accumulate`: of a parameter's gradient
    summed over a batch with random coefficients, against the sum of the samples' norms.

    Raises:
        ExportError: an error exceeds the tolerance; names the graph and its worst sample.
    """
    # the shortest with the longest: every batch has padding
    texts = sorted(texts, key=lambda text: len(tokenizer.encode(text, tokens_max)[0]))
    batches = math.ceil(len(texts) / BATCH)
    errors = dict.fromkeys(("norms", "tangent", "accumulate"), 0.0)
    random = np.random.default_rng(0)
    names = [name for name, _ in checkpoint.model.named_parameters()]
    direction = {n: random.standard_normal(stored[n].shape, np.float32) for n in names}
    reference = _Reference(checkpoint, stored, direction)
    sessions = {
        kind: onnxruntime.InferenceSession(
            str(folder / graphs[kind]), providers=["CPUExecutionProvider"]
        )
        for kind in errors
    }
    for start in range(batches):
        batch = list(texts[start::batches])
        inputs = tokenizer.batch(batch, tokens_max)
        feeds = {name: inputs[name].numpy() for name in checkpoint.family.inputs}
        coefficient = random.standard_normal((len(batch), checkpoint.classes), np.float32)
        expected = reference.expect(inputs, coefficient)
        norms = expected.gram.diagonal(dim1=1, dim2=2).sqrt()

        [gram] = sessions["norms"].run(["gram"], feeds)
        found = {"norms": _error(gram, expected.gram, expected.gram.abs().amax((1, 2)))}

        along = {direction_name(name): value for name, value in direction.items()}
        gram, tangent = sessions["tangent"].run(["gram", "tangent"], {**feeds, **along})
        found["tangent"] = np.maximum(
            _error(gram, expected.gram, expected.gram.abs().amax((1, 2))),
            _error(tangent, expected.tangent, norms.amax(1)),
        )
        sums = sessions["accumulate"].run(
            [gradient_name(name) for name in names], {**feeds, "coefficient": coefficient}
        )
        found["accumulate"] = _sums_error(dict(zip(names, sums, strict=True)), expected)
        for kind, values in found.items():
            worst = int(np.argmax(values))
            if not values[worst] <= TOLERANCE:
                where = f"text {batch[worst].entry()}" if kind != "accumulate" else names[worst]
                raise ExportError(
                    f"{graphs[kind]} differs from PyTorch's gradients: relative error "
                    f"{values[worst]:.3g} for {str(where)[:120]}"
                )
            errors[kind] = max(errors[kind], float(values[worst]))
    return {
        **{f"{kind}_error_max": float(f"{error:.4g}") for kind, error in errors.items()},
        "texts": len(texts),
    }


class _Reference:
    """The model's own forward and PyTorch's autograd, in float64 on the weights as stored."""

    def __init__(
        self, checkpoint: Checkpoint, stored: Mapping[str, Tensor], direction: Mapping[str, Array]
    ) -> None:
        self.model = copy.deepcopy(checkpoint.model)
        self.model.load_state_dict(stored, strict=False)
        self.model.double().requires_grad_(True)
        self.inputs = checkpoint.family.inputs
        self.classes = checkpoint.classes
        self.direction = {name: torch.from_numpy(v).double() for name, v in direction.items()}

    def expect(self, inputs: Mapping[str, Tensor], coefficient: Array) -> _Expected:
        """Each sample by itself, without padding."""
        lengths = inputs["attention_mask"].sum(1).tolist()
        grams, tangents = [], []
        sums = {name: torch.zeros_like(p.data) for name, p in self.model.named_parameters()}
        norms = dict.fromkeys(sums, 0.0)
        for row, length in enumerate(lengths):
            one = {name: inputs[name][row : row + 1, :length] for name in self.inputs}
            gradients = self._gradients(one)
            gram = torch.zeros(self.classes, self.classes, dtype=torch.float64)
            tangent = torch.zeros(self.classes, dtype=torch.float64)
            for name, parts in gradients.items():
                flat = parts.flatten(1)  # (K, parameter)
                gram += flat @ flat.T
                tangent += flat @ self.direction[name].flatten()
                weighted = torch.from_numpy(coefficient[row]).double() @ flat
                sums[name] += weighted.reshape(sums[name].shape)
                norms[name] += float(weighted.norm())
            grams.append(gram)
            tangents.append(tangent)
        return _Expected(torch.stack(grams), torch.stack(tangents), sums, norms)

    def _gradients(self, one: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By parameter (K, *shape)."""
        names, parameters = zip(*self.model.named_parameters(), strict=True)
        logits = self.model(**one).logits[0]
        views = [
            torch.autograd.grad(logit, parameters, retain_graph=True, materialize_grads=True)
            for logit in logits
        ]
        return {
            name: torch.stack(parts)
            for name, parts in zip(names, zip(*views, strict=True), strict=True)
        }


def _error(actual: Array, expected: Tensor, scale: Tensor) -> NDArray[np.float64]:
    """The largest difference of each sample (N), relative to `scale` (N)."""
    difference = (torch.from_numpy(actual).double() - expected).abs().flatten(1).amax(1)
    return np.asarray((difference / scale).numpy())


def _sums_error(actual: Mapping[str, Array], expected: _Expected) -> NDArray[np.float64]:
    """The relative error of each parameter's gradient, in the order of `expected.sums`."""
    least = LEAST * math.sqrt(sum(norm * norm for norm in expected.norms.values()))
    return np.array(
        [
            float((torch.from_numpy(actual[name]).double() - value).norm())
            / max(expected.norms[name], least)
            for name, value in expected.sums.items()
        ]
    )
