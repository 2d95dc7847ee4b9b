"""PyTorch's autograd, one sample at a time, and the gradient graphs of a folder held against it."""

from __future__ import annotations

import copy
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor

from assay.export.external_weights import externalise_weights
from assay.export.families import Checkpoint
from assay.export.gradients.kinds import direction_name, trace_norms
from assay.export.gradients.scope import find_scope, scope_of_manifest
from assay.export.restore import restore_folder
from assay.export.texts import Text
from assay.export.trace import example_inputs
from assay.export.weights import pack_weights

TEXTS = [
    Text("usb c cable", "usb usb usb cable cable"),
    Text("a", "b " * 99),
    Text("mouse [PAD] <pad>", ""),
    Text("a single text"),
]


def session(graph: Path) -> Any:
    return onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])


def turn_softmax(graph: Path) -> None:
    """Turns one sign of a gradient graph: of p ∘ g − p Σ p ∘ g, the pull-back of a softmax."""
    model = onnx.load(str(graph), load_external_data=False)
    made_by = {output: node for node in model.graph.node for output in node.output}
    turned = next(
        node
        for node in model.graph.node
        if node.op_type == "Sub"
        and node.input[1] in made_by
        and "Softmax" in {made_by[i].op_type for i in made_by[node.input[1]].input if i in made_by}
    )
    turned.input[:] = list(turned.input)[::-1]
    graph.write_bytes(model.SerializeToString())


def sample_gradients(
    checkpoint: Checkpoint, inputs: dict[str, Tensor], names: Collection[str] | None = None
) -> list[list[Any]]:
    """Autograd by the model itself: for each sample and logit, the gradient by parameter.

    It is of the parameters with these names, or of all.
    """
    model = copy.deepcopy(checkpoint.model).double().requires_grad_(True)
    parameters = {n: p for n, p in model.named_parameters() if names is None or n in names}
    found = []
    for row, length in enumerate(inputs["attention_mask"].sum(1).tolist()):
        one = {n: inputs[n][row : row + 1, :length] for n in checkpoint.family.inputs}
        logits = model(**one).logits[0]
        views = [
            torch.autograd.grad(z, list(parameters.values()), retain_graph=True) for z in logits
        ]
        found.append([dict(zip(parameters, view, strict=True)) for view in views])
    return found


def inner(left: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    return float(sum((left[name] * right[name]).sum() for name in left))


def gram_of(checkpoint: Checkpoint, inputs: dict[str, Tensor]) -> Any:
    """Γ (N, K, K) of the samples."""
    gradients = sample_gradients(checkpoint, inputs)
    return np.array([[[inner(a, b) for a in views] for b in views] for views in gradients])


def gram_error(checkpoint: Checkpoint, folder: Path) -> float:
    """The largest error of the grams of the example inputs, relative to a gram's largest entry.

    The norms graph is drawn into the folder.
    """
    inputs = dict(zip(checkpoint.family.inputs, example_inputs(checkpoint), strict=True))
    expected = gram_of(checkpoint, inputs)
    weights = pack_weights(checkpoint.model, "fp32", checkpoint.family.head, folder / "weights.bin")
    model = externalise_weights(trace_norms(checkpoint, find_scope(checkpoint, "all")), weights)
    (folder / "norms.onnx").write_bytes(model.SerializeToString())
    feeds = {name: value.numpy() for name, value in inputs.items()}
    [gram] = session(folder / "norms.onnx").run(["gram"], feeds)
    error = np.abs(gram - expected).max(axis=(1, 2)) / np.abs(expected).max(axis=(1, 2))
    return float(error.max())


def compare_with_autograd(folder: Path) -> None:
    """Gram, tangent and sum of `TEXTS`, in one padded batch, by the graphs and by autograd.

    They are of the parameters in the folder's gradient scope.
    """
    restored = restore_folder(folder)
    inputs = restored.tokenizer.batch(TEXTS, 64)
    scope = scope_of_manifest(restored.manifest)
    assert scope is not None
    gradients = sample_gradients(restored.checkpoint, inputs, scope.parameters)
    feeds = {n: inputs[n].numpy() for n in restored.checkpoint.family.inputs}
    expected = np.array([[[inner(a, b) for a in views] for b in views] for views in gradients])
    scale = np.abs(expected).max(axis=(1, 2))

    logits, features, gram = session(folder / "norms.onnx").run(
        ["logits", "features", "gram"], feeds
    )
    assert (np.abs(gram - expected).max(axis=(1, 2)) / scale).max() <= 1e-5
    np.testing.assert_allclose(logits, restored.outputs(TEXTS).logits, atol=1e-5)
    np.testing.assert_allclose(features, restored.outputs(TEXTS).features, atol=1e-5)

    random = np.random.default_rng(1)
    parameters = dict(restored.checkpoint.model.named_parameters())
    direction = {
        name: random.standard_normal(parameters[name].shape, np.float32)
        for name in scope.parameters
    }
    along = {direction_name(name): value for name, value in direction.items()}
    logits, features, gram, tangent = session(folder / "tangent.onnx").run(
        ["logits", "features", "gram", "tangent"], {**feeds, **along}
    )
    np.testing.assert_allclose(logits, restored.outputs(TEXTS).logits, atol=1e-5)
    np.testing.assert_allclose(features, restored.outputs(TEXTS).features, atol=1e-5)
    assert (np.abs(gram - expected).max(axis=(1, 2)) / scale).max() <= 1e-5
    tensors = {name: torch.from_numpy(value) for name, value in direction.items()}
    moved = np.array([[inner(view, tensors) for view in views] for views in gradients])
    assert (np.abs(tangent - moved).max(axis=1) / np.sqrt(scale)).max() <= 1e-5

    coefficient = random.standard_normal((len(TEXTS), restored.checkpoint.classes), np.float32)
    _, *sums = session(folder / "accumulate.onnx").run(None, {**feeds, "coefficient": coefficient})
    for name, total in zip(scope.parameters, sums, strict=True):
        wanted = sum(
            float(c) * view[name]
            for row, views in zip(coefficient, gradients, strict=True)
            for c, view in zip(row, views, strict=True)
        )
        np.testing.assert_allclose(total, wanted, atol=1e-4 * np.sqrt(scale.max()))
