"""XLM-R at its own vocabulary of 250,002: every graph, and tokens up to the last."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import transformers

from assay.export.folder import Options, export_folder
from assay.export.gradients.kinds import gradient_name
from assay.export.restore import restore_folder
from assay.export.texts import Text
from checkpoints import make_checkpoint

VOCABULARY = 250_002
TEXTS = [Text("usb w300 w249999", "cable w249999 <pad> <mask>"), Text("w1000")]
WORDS = "roberta.embeddings.word_embeddings.weight"
POSITIONS = "roberta.embeddings.position_embeddings.weight"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    holder = tmp_path_factory.mktemp("xlm-roberta")
    source = make_checkpoint(
        holder / "checkpoint", "xlm-roberta", vocab_size=VOCABULARY, num_hidden_layers=1
    )
    widen(source / "tokenizer.json")
    options = Options("tiny", weights="int8", int8_graph=True, tokens_max=24)
    export_folder(source, holder / "model", options)
    return holder / "model"


def widen(file: Path) -> None:
    """Adds the piece ▁wN under each id N that is free, and puts the mask last, as XLM-R has it."""
    written = json.loads(file.read_text("utf-8"))
    pieces = written["model"]["vocab"]
    mask = pieces.pop()
    pieces += [[f"▁w{number}", -1.0] for number in range(len(pieces), VOCABULARY - 1)]
    pieces.append(mask)
    for token in written["added_tokens"]:
        if token["content"] == "<mask>":
            token["id"] = VOCABULARY - 1
    file.write_text(json.dumps(written), "utf-8")


def test_every_graph_is_made_and_equals_pytorch(folder: Path) -> None:
    manifest = json.loads((folder / "model.json").read_text("utf-8"))
    assert manifest["architecture"]["vocab_size"] == VOCABULARY
    assert manifest["graphs"].keys() == {
        *("forward", "forward.int8", "norms", "tangent", "accumulate", "attribution")
    }
    precision = manifest["precision"]
    assert precision["fp32"]["logit_error_max"] <= 1e-5
    for kind in ("norms", "tangent", "accumulate", "attribution"):
        assert precision["gradients"][f"{kind}_error_max"] <= 1e-5


def test_the_last_words_and_the_positions_after_padding_have_their_gradients(folder: Path) -> None:
    restored = restore_folder(folder)
    inputs = restored.tokenizer.batch(TEXTS, 24)
    assert {249_999, VOCABULARY - 1, 1, 300} <= set(inputs["input_ids"][0].tolist())
    model = restored.checkpoint.model.requires_grad_(True)
    fed = {name: inputs[name] for name in restored.checkpoint.family.inputs}
    model(**fed).logits.sum().backward()

    session = onnxruntime.InferenceSession(
        str(folder / "accumulate.onnx"), providers=["CPUExecutionProvider"]
    )
    feeds = {name: value.numpy() for name, value in fed.items()}
    feeds["coefficient"] = np.ones((len(TEXTS), 1), np.float32)
    for name in (WORDS, POSITIONS):
        expected = model.get_parameter(name).grad
        assert expected is not None
        [found] = session.run([gradient_name(name)], feeds)
        np.testing.assert_allclose(found, expected, atol=1e-5 * float(expected.abs().max()))
        used = torch.from_numpy(found).abs().sum(1).nonzero().flatten().tolist()
        if name == POSITIONS:
            # the padding id is 1, so the first token stands at 2
            assert used[0] == 2
        else:
            assert set(used) == set(inputs["input_ids"].flatten().tolist()) - {1}


def test_tokens_of_the_whole_vocabulary_are_hugging_faces(folder: Path) -> None:
    reference = transformers.AutoTokenizer.from_pretrained(folder.parent / "checkpoint")
    tokenizer = restore_folder(folder).tokenizer
    for text in TEXTS:
        assert (
            tokenizer.assemble(text, 24)[0]
            == reference([text.query], None if text.document is None else [text.document])[
                "input_ids"
            ][0]
        )
