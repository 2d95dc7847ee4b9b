"""The gradient graphs: equal to autograd, on the shared weights, left out where not known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from assay.export.errors import ExportError
from assay.export.families import load_checkpoint
from assay.export.folder import Options, export_folder
from assay.export.gradients import allowed, measure
from assay.export.gradients.kinds import (
    GRADIENT_TRACES,
    direction_name,
    gradient_name,
)
from assay.export.gradients.layers import activate
from assay.export.gradients.measure import measure_gradients
from assay.export.gradients.network import Network, find_network, why_unsupported
from assay.export.regraph import renew_graphs
from assay.export.restore import restore_folder
from assay.export.texts import builtin_pairs, check_texts
from assay.export.upload import UploadOptions, export_weights
from autograd import TEXTS, compare_with_autograd, gram_error, session, turn_softmax
from checkpoints import FAMILIES, make_checkpoint


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_gram_tangent_and_sum_equal_autograd(
    with_gradients: Any, family: str, classes: int
) -> None:
    compare_with_autograd(with_gradients(family, classes))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_export_has_the_graphs_on_its_one_weights_file_and_their_errors(
    with_gradients: Any, family: str
) -> None:
    folder = with_gradients(family, 1)
    manifest = json.loads((folder / "model.json").read_text())
    names = [parameter["name"] for parameter in manifest["parameters"]]
    for kind in GRADIENT_TRACES:
        file = manifest["graphs"][kind]
        assert manifest["precision"]["gradients"][f"{kind}_error_max"] <= 1e-5
        assert manifest["files"][file]["bytes"] < 1e6
        graph = onnx.load(str(folder / file), load_external_data=False).graph
        places = {
            e.value for t in graph.initializer for e in t.external_data if e.key == "location"
        }
        assert places == {"weights.bin"}
    tangent, accumulate = (session(folder / f"{kind}.onnx") for kind in ("tangent", "accumulate"))
    assert {i.name for i in tangent.get_inputs()} >= {direction_name(name) for name in names}
    assert [o.name for o in accumulate.get_outputs()] == ["logits", *map(gradient_name, names)]


def test_eight_logits_get_a_gram_and_nine_get_no_graphs(tmp_path: Path) -> None:
    eight = load_checkpoint(make_checkpoint(tmp_path / "eight", "bert", 8, num_hidden_layers=1))
    assert why_unsupported(eight) is None
    assert gram_error(eight, tmp_path) <= 1e-5
    refused = export_folder(
        make_checkpoint(tmp_path / "nine", "bert", 9), tmp_path / "b", Options("tiny")
    )
    assert refused["graphs"] == {"forward": "forward.onnx"}
    assert refused["precision"]["gradients"] == {"unsupported": "9 logits, of at most 8"}


def test_an_unknown_activation_leaves_the_graphs_out_and_is_named(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", hidden_act="silu")
    manifest = export_folder(source, tmp_path / "model", Options("tiny"))
    assert manifest["graphs"] == {"forward": "forward.onnx"}
    assert 'activation "silu"' in manifest["precision"]["gradients"]["unsupported"]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_other_known_activations_pass_the_check(tmp_path: Path, activation: str) -> None:
    # No unit is so near to ReLU's kink that rounding decides on which side it lies.
    source = make_checkpoint(
        tmp_path / "checkpoint", "distilbert", seed=2, activation=activation, num_hidden_layers=1
    )
    manifest = export_folder(source, tmp_path / "model", Options("tiny"))
    assert manifest["precision"]["gradients"]["tangent_error_max"] <= 1e-5


def test_gelu_and_its_derivative_equal_autograd_where_a_quotient_would_not_be_one() -> None:
    points = torch.cat([torch.tensor([0.0, -0.0, 1e-38, -1e-20]), torch.linspace(-9, 9, 181)])
    inputs = points.clone().requires_grad_(True)
    expected = nn.functional.gelu(inputs)
    [derivative] = torch.autograd.grad(expected.sum(), inputs)
    outputs, slope = activate("gelu", points)
    torch.testing.assert_close(outputs, expected.detach(), rtol=0, atol=1e-7)
    torch.testing.assert_close(slope, derivative, rtol=0, atol=5e-7)


def test_a_module_with_parameters_that_is_not_known_is_named(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(make_checkpoint(tmp_path, "roberta"))
    layer: Any = checkpoint.model.get_submodule("roberta.encoder.layer.1")
    layer.adapter = nn.Linear(4, 4)
    assert why_unsupported(checkpoint) == (
        "roberta.encoder.layer.1.adapter (Linear) has parameters"
    )


def test_tied_parameters_have_their_cross_terms(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert", 2)
    checkpoint = load_checkpoint(source)
    network = find_network(checkpoint)
    assert isinstance(network, Network)
    first, last = network.layers[0], network.layers[-1]
    last.query.weight = first.key.weight
    last.value.weight = last.key.weight
    last.output.weight, last.output.bias = first.output.weight, first.output.bias
    last.output_norm.weight = network.embedding_norm.bias
    assert network.types is not None
    network.types.weight = nn.Parameter(network.words.weight[:2].clone(), requires_grad=False)
    network.positions.weight = network.words.weight
    assert gram_error(checkpoint, tmp_path) <= 1e-5


@pytest.mark.parametrize("kind", ["norms", "tangent"])
def test_places_are_read_while_the_pull_back_runs(
    with_gradients: Any, tmp_path: Path, kind: str
) -> None:
    """Read at the end, every place of a batch would be held until then."""
    file = with_gradients("bert", 1) / f"{kind}.onnx"
    nodes = {
        o: n for n in onnx.load(str(file), load_external_data=False).graph.node for o in n.output
    }
    sums: list[str] = []  # the Adds that lead to the gram, first to last
    name = "gram"
    while not sums or nodes[name].op_type == "Add":
        if nodes[name].op_type == "Add":
            sums.insert(0, nodes[name].name)
        name = nodes[name].input[0]
    ran = run_order(file, tmp_path)
    assert ran.index(sums[0]) < len(ran) / 2 < ran.index(sums[-1])


def run_order(file: Path, folder: Path) -> list[str]:
    """The names of the nodes as ONNX Runtime runs them."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "run")
    run = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    shapes = {i.name: [s if isinstance(s, int) else 4 for s in i.shape] for i in run.get_inputs()}
    kinds = {i.name: np.int64 if "int64" in i.type else np.float32 for i in run.get_inputs()}
    run.run(None, {name: np.ones(shape, kinds[name]) for name, shape in shapes.items()})
    events = json.loads(Path(run.end_profiling()).read_text())
    kernels = [e for e in events if e["name"].endswith("_kernel_time")]
    return [e["name"].removesuffix("_kernel_time") for e in sorted(kernels, key=lambda e: e["ts"])]


def test_no_gradient_graph_computes_a_thing_twice(with_gradients: Any) -> None:
    for kind in GRADIENT_TRACES:
        graph = onnx.load(str(with_gradients("bert", 3) / f"{kind}.onnx"), load_external_data=False)
        outputs = {output.name for output in graph.graph.output}
        found = [
            (n.op_type, *n.input, *sorted(a.SerializeToString() for a in n.attribute))
            for n in graph.graph.node
            if not outputs.intersection(n.output)
        ]
        assert len(found) == len(set(found))


def test_the_check_sees_a_wrong_gradient(with_gradients: Any, tmp_path: Path) -> None:
    """The graphs of another checkpoint's weights stand for any error."""
    folder = with_gradients("bert", 1)
    restored = restore_folder(folder)
    parameters = dict(restored.checkpoint.model.named_parameters())
    parameters["bert.encoder.layer.1.attention.self.value.bias"].data += 0.01
    graphs = {kind: f"{kind}.onnx" for kind in GRADIENT_TRACES}
    arguments = (restored.model, TEXTS)
    with pytest.raises(ExportError, match=r"norms\.onnx differs from PyTorch's gradients"):
        measure_gradients(folder, graphs, *arguments)


@pytest.mark.parametrize("kind", GRADIENT_TRACES)
def test_the_check_sees_one_turned_sign(with_gradients: Any, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(with_gradients("bert", 1), folder)
    turn_softmax(folder / f"{kind}.onnx")
    restored = restore_folder(folder)
    graphs = {name: f"{name}.onnx" for name in GRADIENT_TRACES}
    arguments = (restored.model, check_texts(64))
    with pytest.raises(ExportError, match=rf"{kind}\.onnx differs from PyTorch's gradients"):
        measure_gradients(folder, graphs, *arguments)


@pytest.mark.parametrize(("family", "classes"), [("bert", 1), ("modernbert", 3)])
def test_a_graph_may_be_as_inexact_as_pytorch_in_float32(
    with_gradients: Any, monkeypatch: pytest.MonkeyPatch, family: str, classes: int
) -> None:
    """As of a deep model, no graph is within the tolerance."""
    for module in (allowed, measure):
        monkeypatch.setattr(module, "TOLERANCE", 1e-12)
    folder = with_gradients(family, classes)
    restored = restore_folder(folder)
    graphs = {name: f"{name}.onnx" for name in GRADIENT_TRACES}
    arguments = (restored.model, TEXTS)
    found = measure_gradients(folder, graphs, *arguments)
    for kind, own in found["pytorch_float32_error_max"].items():
        assert 0 < found[f"{kind}_error_max"] <= allowed.OWN_ERRORS * own

    parameters = dict(restored.checkpoint.model.named_parameters())
    next(iter(parameters.values())).data *= 1.001  # of the words
    with pytest.raises(ExportError, match=r"PyTorch's own error in float32 is \d"):
        measure_gradients(folder, graphs, *arguments)


def test_the_check_leaves_the_model_as_it_was(with_gradients: Any) -> None:
    folder = with_gradients("bert", 3)
    restored = restore_folder(folder)
    model = restored.checkpoint.model
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    logits = restored.outputs(TEXTS).logits
    graphs = {name: f"{name}.onnx" for name in GRADIENT_TRACES}
    measure_gradients(folder, graphs, restored.model, TEXTS)
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32
        assert not parameter.requires_grad
        assert torch.equal(parameter, before[name]), name
    np.testing.assert_array_equal(restored.outputs(TEXTS).logits, logits)


def test_gradient_graphs_work_on_the_weights_of_an_upload(
    with_gradients: Any, tmp_path: Path
) -> None:
    folder = with_gradients("bert", 1)
    source = make_checkpoint(tmp_path / "checkpoint", "bert", seed=5)
    header = export_weights(source, folder, tmp_path / "upload", UploadOptions())
    gradients = header["precision"]["gradients"]
    assert gradients["norms_error_max"] <= 1e-5
    assert gradients["texts"] == len(header["self_test"]["samples"])


def test_renewed_graphs_come_with_and_without_gradients(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "distilbert", num_hidden_layers=1)
    folder = tmp_path / "model"
    plain = export_folder(source, folder, Options("tiny", gradient_graphs=False))
    weights = (folder / "weights.bin").read_bytes()
    full = renew_graphs(folder, builtin_pairs(), "pairs", gradient_graphs=True)
    assert full["graphs"].keys() == {"forward", *GRADIENT_TRACES}
    assert full["embedding"] == plain["embedding"]
    assert all((folder / name).is_file() for name in full["files"])
    assert (folder / "weights.bin").read_bytes() == weights
    again = renew_graphs(folder, builtin_pairs(), "pairs", gradient_graphs=False)
    assert again["files"] == plain["files"]
    assert {f.name for f in folder.iterdir()} == {*plain["files"], "model.json"}
