"""A model folder without PyTorch: its manifest, and the features of texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Tokenizer

from assay.export.pairs import Layout, Template
from assay.export.texts import Text
from assay.learned.errors import LearnedError

BATCH_TOKENS = 2048  # padded
TASK_LOSS = {"binary": "bce", "regression": "mse", "classification": "cross_entropy"}


@dataclass(frozen=True)
class ModelFolder:
    """A folder whose manifest has been read."""

    path: Path
    manifest: dict[str, Any]

    @property
    def features(self) -> int:
        """H, the width of the last layer's input."""
        return int(self.manifest["head"]["features"])

    @property
    def loss(self) -> str:
        """The loss of a request that names none."""
        return TASK_LOSS[self.manifest["task"]]

    @property
    def version(self) -> str:
        """The version that a service tells of the model: of weights, tokenizer and graph."""
        files = self.manifest["files"]
        named = ("weights.bin", "tokenizer.json", self.manifest["graphs"]["forward"])
        digests = [files[name]["sha256"] if name in files else "absent" for name in named]
        return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def read_folder(path: Path) -> ModelFolder:
    """Reads the manifest.

    Raises:
        LearnedError: `path` is no model folder.
    """
    try:
        manifest = json.loads((path / "model.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise LearnedError(f"{path} is no model folder: {error}") from error
    return ModelFolder(path, manifest)


def read_features(folder: ModelFolder, texts: Sequence[Text]) -> npt.NDArray[np.float32]:
    """Features h (N, H) of texts by forward.onnx in float32, tokenised as the service does it."""
    session = onnxruntime.InferenceSession(
        str(folder.path / folder.manifest["graphs"]["forward"]), providers=["CPUExecutionProvider"]
    )
    tokens = tokenise(folder, texts)
    features = np.empty((len(texts), folder.features), dtype=np.float32)
    for rows in batches([len(ids) for ids, _ in tokens]):
        inputs = pad(folder, [tokens[row] for row in rows])
        features[rows] = session.run(["features"], inputs)[0]
    return features


def tokenise(folder: ModelFolder, texts: Sequence[Text]) -> list[tuple[list[int], list[int]]]:
    """Ids and type ids of each text."""
    tokenizer = Tokenizer.from_file(str(folder.path / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    pair = folder.manifest["pair"]
    template = Template(
        Layout(pair["single"], pair["single_type_ids"]), Layout(pair["pair"], pair["pair_type_ids"])
    )
    limit = int(folder.manifest["max_tokens"])

    def ids(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    return [
        template.assemble(
            ids(text.query), None if text.document is None else ids(text.document), limit
        )
        for text in texts
    ]


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Rows of about equal length together, at most BATCH_TOKENS padded tokens each."""
    found: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if not found or (len(found[-1]) + 1) * lengths[row] > BATCH_TOKENS:
            found.append([])
        found[-1].append(row)
    return found


def pad(
    folder: ModelFolder, tokens: Sequence[tuple[list[int], list[int]]]
) -> dict[str, npt.NDArray[np.int64]]:
    """The graph's inputs, int64 (B, T) each, padded on the right."""
    padding = folder.manifest["padding"]
    shape = (len(tokens), max(len(ids) for ids, _ in tokens))
    ids = np.full(shape, padding["id"], dtype=np.int64)
    types = np.full(shape, padding["type_id"], dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, (row_ids, row_types) in enumerate(tokens):
        ids[row, : len(row_ids)] = row_ids
        types[row, : len(row_ids)] = row_types
        mask[row, : len(row_ids)] = 1
    arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: arrays[name] for name in folder.manifest["inputs"]}
