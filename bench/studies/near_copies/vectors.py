"""The vectors that are compared: features, and masked means after layers, of PyTorch's forward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from assay.export.restore import Restored
from assay.export.texts import Text

Array = npt.NDArray[np.float64]
LAYERS = {"embedding layer": 0, "layer 1": 1, "layer 2": 2, "layer 4": 4}
VECTORS = ("features", *LAYERS)
BATCH = 32


def vectors_of(restored: Restored, texts: Sequence[Text]) -> dict[str, Array]:
    """Of each text (N): features (N, H) and the means (N, H) of the tokens that are no padding."""
    checkpoint, limit = restored.checkpoint, int(restored.manifest["max_tokens"])
    by_length = sorted(range(len(texts)), key=lambda row: len(_words(texts[row])))
    found: dict[str, list[Tensor]] = {name: [] for name in VECTORS}
    hook = checkpoint.head.register_forward_pre_hook(
        lambda _, inputs: found["features"].append(inputs[0])
    )
    with torch.no_grad():
        for start in range(0, len(texts), BATCH):
            rows = by_length[start : start + BATCH]
            batch = restored.tokenizer.batch([texts[row] for row in rows], limit)
            given = {name: batch[name] for name in checkpoint.family.inputs}
            hidden = checkpoint.model(**given, output_hidden_states=True).hidden_states
            mask = batch["attention_mask"].unsqueeze(2).float()
            for name, layer in LAYERS.items():
                found[name].append((hidden[layer] * mask).sum(1) / mask.sum(1))
    hook.remove()
    order = np.argsort(by_length)
    return {name: torch.cat(parts).double().numpy()[order] for name, parts in found.items()}


def _words(text: Text) -> list[str]:
    return f"{text.query} {text.document or ''}".split()
