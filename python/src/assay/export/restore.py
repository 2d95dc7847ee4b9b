"""A model folder back to PyTorch, with the weights as stored: what oracles are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from assay.export.check import Outputs
from assay.export.errors import ExportError
from assay.export.external_weights import LOCATION
from assay.export.families import Checkpoint, family_of
from assay.export.gradients.scope import scope_of_manifest
from assay.export.model import Model
from assay.export.texts import Text
from assay.export.tokenizer import TextTokenizer, load_tokenizer
from assay.export.weights import Parameter, Weights, load_weights


@dataclass(frozen=True)
class Restored:
    """A model folder in PyTorch. `manifest` is model.json."""

    checkpoint: Checkpoint
    tokenizer: TextTokenizer
    manifest: dict[str, Any]

    @property
    def model(self) -> Model:
        """The model with the scope of the folder's gradient graphs."""
        limit = int(self.manifest["max_tokens"])
        return Model(self.checkpoint, self.tokenizer, limit, scope_of_manifest(self.manifest))

    def outputs(self, texts: list[Text]) -> Outputs:
        """The outputs of texts, by the model's own forward."""
        return self.model.outputs(texts)


def restore_folder(folder: Path) -> Restored:
    """Builds the model of a folder from its config.json and weights.bin, dequantised, in float32.

    Raises:
        ExportError: weights.bin does not hold every parameter of the model.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    manifest = json.loads((folder / "model.json").read_text("utf-8"))
    parameters = [Parameter.from_entry(entry) for entry in manifest["parameters"]]
    weights = Weights(parameters, folder / LOCATION)
    config = AutoConfig.from_pretrained(folder)
    loader: Any = AutoModelForSequenceClassification
    model = loader.from_config(config, attn_implementation="eager", dtype=torch.float32)
    known = {name for name, _ in model.named_parameters()}
    stored = {parameter.name for parameter in parameters}
    if known != stored:
        raise ExportError(f"{LOCATION} does not fit the model: {sorted(known ^ stored)[:5]}")
    load_weights(model, weights)
    model.eval().requires_grad_(False)
    checkpoint = Checkpoint(model, family_of(config), config)
    return Restored(checkpoint, load_tokenizer(folder), manifest)
