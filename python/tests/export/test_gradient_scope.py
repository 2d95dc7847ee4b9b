"""Gradient graphs of a part of the parameters: their values, their size, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from scoped import copy_with_scope

from assay.export.__main__ import main
from assay.export.errors import ExportError
from assay.export.folder import Options, export_folder
from assay.export.gradients.kinds import GRADIENT_TRACES, direction_name, gradient_name
from assay.export.gradients.measure import measure_gradients
from assay.export.gradients.scope import default_scope, find_scope
from assay.export.restore import restore_folder
from assay.export.texts import check_texts
from assay.export.upload import UploadOptions, export_weights
from autograd import compare_with_autograd, session, turn_softmax
from checkpoints import make_checkpoint

GRAPHS = {kind: f"{kind}.onnx" for kind in GRADIENT_TRACES}
SOME_TEXTS = check_texts(64)[::4]
WithScope = Callable[[str, int, str], Path]


@pytest.fixture(scope="module")
def with_scope(with_gradients: Any, tmp_path_factory: pytest.TempPathFactory) -> WithScope:
    """The folder of a family and a number of logits with the gradient graphs of a scope, unchecked.

    Each is drawn once.
    """
    made: dict[tuple[str, int, str], Path] = {}

    def draw(family: str, classes: int, scope: str) -> Path:
        key = (family, classes, scope)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("scope") / "model"
            copy_with_scope(with_gradients(family, classes), made[key], scope)
        return made[key]

    return draw


@pytest.mark.parametrize(
    ("family", "classes", "scope"),
    [
        ("bert", 1, "last:1"),
        ("bert", 3, "head"),
        (
            "bert",
            1,
            "*.query.weight,*.value.bias,*.output.LayerNorm.weight,*.intermediate.dense.bias",
        ),
        ("modernbert", 1, "last:1"),
        ("deberta-v2", 1, "last:1"),
        ("deberta-v2", 1, "*.bias"),
    ],
)
def test_gram_tangent_and_sum_are_of_the_scope(
    with_scope: WithScope, family: str, classes: int, scope: str
) -> None:
    folder = with_scope(family, classes, scope)
    compare_with_autograd(folder)
    manifest = json.loads((folder / "model.json").read_text())
    names = manifest["gradient_scope"]["parameters"]
    assert manifest["gradient_scope"]["name"] == scope
    assert 0 < len(names) < len(manifest["parameters"])
    tangent, accumulate = (session(folder / f"{kind}.onnx") for kind in ("tangent", "accumulate"))
    directions = [i.name for i in tangent.get_inputs() if i.name.startswith("direction.")]
    assert directions == [direction_name(name) for name in names]
    assert [o.name for o in accumulate.get_outputs()] == ["logits", *map(gradient_name, names)]


@pytest.mark.parametrize(
    ("family", "classes", "scope"),
    [
        ("bert", 1, "last:1"),
        ("bert", 3, "head"),
        ("modernbert", 1, "last:1"),
        ("deberta-v2", 1, "last:1"),
    ],
)
def test_the_backward_pass_stops_where_the_scope_ends(
    with_gradients: Any, with_scope: WithScope, family: str, classes: int, scope: str
) -> None:
    whole, part = with_gradients(family, classes), with_scope(family, classes, scope)
    for kind in GRADIENT_TRACES:
        graph = onnx.load(str(part / f"{kind}.onnx"), load_external_data=False).graph
        read = {name for node in graph.node for name in node.input}
        read |= {output.name for output in graph.output}
        assert [node.name for node in graph.node if not read & set(node.output)] == []
        # attributions are of the words, below every layer
        expected = 2 if kind == "attribution" else {"last:1": 1, "head": 0}[scope]
        assert layers_pulled(part / f"{kind}.onnx") == expected
        assert layers_pulled(whole / f"{kind}.onnx") == 2


def layers_pulled(graph: Path) -> int:
    """The layers through whose attention the pull-back passes: it multiplies by the attention."""
    found = list(onnx.load(str(graph), load_external_data=False).graph.node)
    multiplied = {name for node in found if node.op_type == "Mul" for name in node.input}
    return sum(n.op_type == "Softmax" and n.output[0] in multiplied for n in found)


def test_the_check_passes_on_eight_texts_one_of_the_full_length(with_scope: WithScope) -> None:
    model = restore_folder(with_scope("bert", 1, "last:2")).model
    lengths = [len(model.tokenizer.encode(text, 64)[0]) for text in SOME_TEXTS]
    assert len(lengths) >= 8
    assert max(lengths) == 64
    found = measure_gradients(with_scope("bert", 1, "last:2"), GRAPHS, model, SOME_TEXTS)
    assert found["texts"] == len(lengths)
    assert max(found[f"{kind}_error_max"] for kind in GRADIENT_TRACES) <= 1e-5


@pytest.mark.parametrize("kind", GRADIENT_TRACES)
def test_the_check_sees_one_turned_sign(with_scope: WithScope, tmp_path: Path, kind: str) -> None:
    """In the last layer, and so in what goes on to the one below: a gram has the squares alone."""
    folder = tmp_path / "model"
    shutil.copytree(with_scope("bert", 1, "last:2"), folder)
    turn_softmax(folder / f"{kind}.onnx")
    with pytest.raises(ExportError, match=rf"{kind}\.onnx differs from PyTorch's gradients"):
        measure_gradients(folder, GRAPHS, restore_folder(folder).model, SOME_TEXTS)


def test_a_graph_of_another_scope_does_not_pass_the_check(
    with_scope: WithScope, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(with_scope("bert", 1, "last:2"), folder)
    shutil.copyfile(with_scope("bert", 1, "head") / "norms.onnx", folder / "norms.onnx")
    with pytest.raises(ExportError, match=r"norms\.onnx differs from PyTorch's gradients"):
        measure_gradients(folder, GRAPHS, restore_folder(folder).model, SOME_TEXTS)


def test_scopes_are_what_they_say(with_gradients: Any) -> None:
    checkpoint = restore_folder(with_gradients("modernbert", 3)).checkpoint
    names = [name for name, _ in checkpoint.model.named_parameters()]
    head = [n for n in names if n.startswith(("head.", "classifier."))]
    assert list(find_scope(checkpoint, "head").parameters) == head
    last = [n for n in names if n.startswith(("model.layers.1.", "model.final_norm"))]
    assert list(find_scope(checkpoint, "last:1").parameters) == [*last, *head]
    norms = find_scope(checkpoint, "*norm*,classifier.bias")
    assert list(norms.parameters) == [n for n in names if "norm" in n or n == "classifier.bias"]
    assert norms.entry() == {
        "name": "*norm*,classifier.bias",
        "parameters": list(norms.parameters),
    }


def test_a_scope_of_every_parameter_is_all(with_gradients: Any) -> None:
    checkpoint = restore_folder(with_gradients("bert", 1)).checkpoint
    assert find_scope(checkpoint, "*") == find_scope(checkpoint, "all")
    assert find_scope(checkpoint, "*").entry() == {"name": "all"}
    assert find_scope(checkpoint, "last:2").name == "last:2"  # without the embeddings


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("last:0", "from 1 to 2"),
        ("last:3", "from 1 to 2"),
        ("last:two", "from 1 to 2"),
        ("query", r"Near to it: bert\.encoder\.layer\.0\.attention\.self\.query\.weight"),
        ("*.bias,*.qeury.weight", r'"\*\.qeury\.weight".*Near to it: .*query\.weight'),
        ("x" * 300, "300 characters, of at most 256"),
        ("adapters", "not supported yet"),
    ],
)
def test_a_scope_that_is_none_is_refused_in_words(
    with_gradients: Any, scope: str, told: str
) -> None:
    checkpoint = restore_folder(with_gradients("bert", 1)).checkpoint
    with pytest.raises(ExportError, match=told):
        find_scope(checkpoint, scope)


def test_a_refused_scope_leaves_nothing(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    with pytest.raises(ExportError, match="from 1 to 2"):
        export_folder(source, tmp_path / "model", Options("tiny", gradient_scope="last:9"))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_large_model_has_the_last_two_layers_where_nobody_says_more() -> None:
    assert default_scope(50_000_000) == "all"
    assert default_scope(50_000_001) == "last:2"


def test_the_command_says_the_scope_and_how_to_change_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.export.gradients.scope.ALL_PARAMETERS_MAX", 1000)
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    folder = tmp_path / "model"
    assert main(["folder", str(source), str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "gradient scope: last:2, 16,097 of 22,689 parameters" in printed
    assert "not asked for: --gradient-scope all, head, last:N or a pattern changes it" in printed
    assert main(["graphs", str(folder), "--gradient-scope", "head"]) == 0
    printed = capsys.readouterr().out
    assert "gradient scope: head, 1,089 of" in printed
    assert "not asked for" not in printed

    # an upload for the folder is checked in its scope, and does not change it
    other = make_checkpoint(tmp_path / "other", "bert", seed=5)
    header = export_weights(other, folder, tmp_path / "upload", UploadOptions())
    assert header["precision"]["gradients"]["norms_error_max"] <= 1e-5
    assert "gradient_scope" not in header

    assert main(["graphs", str(folder)]) == 0  # keeps what it has
    assert "gradient scope: head, 1,089 of" in capsys.readouterr().out
    assert main(["graphs", str(folder), "--no-gradient-graphs"]) == 0
    assert "gradient_scope" not in json.loads((folder / "model.json").read_text())
    both = ["--no-gradient-graphs", "--gradient-scope", "head"]
    assert main(["graphs", str(folder), *both]) == 1
    assert "leave one of them out" in capsys.readouterr().err


def test_a_folder_that_does_not_say_its_scope_has_graphs_of_all(
    with_gradients: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(with_gradients("bert", 1), folder)
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest.pop("gradient_scope") == {"name": "all"}
    (folder / "model.json").write_text(json.dumps(manifest))
    scope = restore_folder(folder).model.scope
    assert scope is not None
    assert scope.name == "all"
    assert list(scope.parameters) == [entry["name"] for entry in manifest["parameters"]]
