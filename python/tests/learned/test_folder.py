"""Features without PyTorch: tokens and padding as the service has them."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from assay.export.texts import Text
from assay.learned.errors import LearnedError
from assay.learned.folder import batches, pad, read_features, read_folder, tokenise

SHIPPED = Path(__file__).parents[3] / "models" / "default"


def test_the_shipped_models_self_test_comes_out_of_these_tokens() -> None:
    folder = read_folder(SHIPPED)
    samples = folder.manifest["self_test"]["samples"]
    texts = [Text(s["text"]) if "text" in s else Text(s["query"], s["document"]) for s in samples]
    session = onnxruntime.InferenceSession(str(SHIPPED / "forward.onnx"))
    (logits,) = session.run(["logits"], pad(folder, tokenise(folder, texts)))
    np.testing.assert_allclose(logits, [s["logits"] for s in samples], atol=1e-4)


def test_features_do_not_depend_on_the_batch(folder: Path) -> None:
    model = read_folder(folder)
    texts = [Text("usb cable"), Text("mouse", "black " * 30), Text("a", ""), Text("screen", "usb")]
    together = read_features(model, texts)
    alone = np.concatenate([read_features(model, [text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert together.shape == (4, 4)
    assert len(np.unique(together.round(5), axis=0)) == 4


def test_batches_hold_every_row_once_and_few_padded_tokens() -> None:
    lengths = [5, 300, 7, 2048, 3000, 6] * 20
    found = batches(lengths)
    assert sorted(row for batch in found for row in batch) == list(range(120))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= 2048


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LearnedError, match="is no model folder"):
        read_folder(tmp_path)
