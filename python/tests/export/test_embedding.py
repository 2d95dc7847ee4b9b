"""The output `embedding`: the masked mean after the embedding layer, beside every features."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from assay.export.check import compare_outputs
from assay.export.errors import ExportError
from assay.export.manifest import describe_file
from assay.export.restore import restore_folder
from assay.export.texts import Text
from assay.export.upload import UploadOptions, export_weights
from autograd import TEXTS, session
from checkpoints import FAMILIES, Export, make_checkpoint


def feeds_of(folder: Path, texts: list[Text]) -> dict[str, Any]:
    restored = restore_folder(folder)
    inputs = restored.tokenizer.batch(texts, 64)
    return {name: inputs[name].numpy() for name in restored.checkpoint.family.inputs}


def embed(graph: Path, feeds: dict[str, Any]) -> Any:
    [embedding] = session(graph).run(["embedding"], feeds)
    return embedding


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_mean_over_the_tokens_of_pytorchs_first_hidden_state(
    exported: Export, family: str
) -> None:
    source, folder = exported(family, 1, "fp32")
    feeds = feeds_of(folder, TEXTS)
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    with torch.no_grad():
        given = {name: torch.from_numpy(value) for name, value in feeds.items()}
        hidden = model(**given, output_hidden_states=True).hidden_states[0].numpy()
    lengths = feeds["attention_mask"].sum(1)
    expected = [row[:length].mean(0) for row, length in zip(hidden, lengths, strict=True)]
    np.testing.assert_allclose(embed(folder / "forward.onnx", feeds), expected, atol=1e-5)
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["embedding"] == {"size": 32, "after": "embeddings"}
    assert manifest["precision"]["fp32"]["embedding_error_max"] <= 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_padding_nor_the_batch_changes_a_row(exported: Export, family: str) -> None:
    _, folder = exported(family, 1, "int8")
    feeds = feeds_of(folder, TEXTS)
    for graph in (folder / "forward.onnx", folder / "forward.int8.onnx"):
        together = embed(graph, feeds)
        for row, length in enumerate(feeds["attention_mask"].sum(1)):
            alone = embed(graph, {n: value[row : row + 1, :length] for n, value in feeds.items()})
            np.testing.assert_allclose(alone[0], together[row], atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_graphs_give_the_same(with_gradients: Any, family: str) -> None:
    folder = with_gradients(family, 1)
    feeds = feeds_of(folder, TEXTS)
    tangent = session(folder / "tangent.onnx")
    along = {
        given.name: np.zeros(given.shape, np.float32)
        for given in tangent.get_inputs()
        if given.name not in feeds
    }
    expected = embed(folder / "forward.onnx", feeds)
    np.testing.assert_allclose(embed(folder / "norms.onnx", feeds), expected, atol=1e-6)
    [found] = tangent.run(["embedding"], {**feeds, **along})
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_check_refuses_a_wrong_embedding(exported: Export) -> None:
    _, folder = exported("bert", 1, "fp32")
    outputs = restore_folder(folder).outputs(TEXTS)
    assert outputs.embedding is not None
    wrong = outputs.embedding.copy()
    wrong[1, 3] += 1e-3
    with pytest.raises(ExportError, match=r"embedding\[3\] is .* for \{'query': 'a'"):
        compare_outputs(outputs, replace(outputs, embedding=wrong), TEXTS)


def test_weights_are_written_for_a_folder_of_an_earlier_exporter(
    with_gradients: Any, tmp_path: Path
) -> None:
    """Its graphs have no embedding, and it has no attribution graph."""
    folder = tmp_path / "model"
    shutil.copytree(with_gradients("bert", 1), folder)
    manifest = json.loads((folder / "model.json").read_text())
    del manifest["embedding"], manifest["files"][manifest["graphs"].pop("attribution")]
    for kind in ("forward", "norms", "tangent"):
        file = folder / f"{kind}.onnx"
        model = onnx.load(str(file), load_external_data=False)
        kept = [output for output in model.graph.output if output.name != "embedding"]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        file.write_bytes(model.SerializeToString())
        manifest["files"][file.name] = describe_file(file)
    (folder / "model.json").write_text(json.dumps(manifest))
    source = make_checkpoint(tmp_path / "checkpoint", "bert", seed=3)
    precision = export_weights(source, folder, tmp_path / "upload", UploadOptions())["precision"]
    assert precision["fp32"].keys() == {"logit_error_max", "texts"}
    assert precision["gradients"]["norms_error_max"] <= 1e-5
    assert "attribution_error_max" not in precision["gradients"]
