"""Integrated gradients of a model folder's logit and loss, by Captum on the weights as stored.

The model runs in float64, each text without padding. The baseline has padding in place of every
token but the special ones. Captum's Gauss-Legendre rule has 400 points, so that what is left of
the change from the baseline is rounding, or nearly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from captum.attr import LayerIntegratedGradients
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from assay.export.gradients.network import find_network
from assay.export.restore import Restored, restore_folder
from assay.export.texts import Text

POINTS = 400
SAMPLES = [
    (Text("usb c cable", "USB-C charging cable 2 m, 60 W, nylon braided, black"), 1.0),
    (Text("usb c cable", "Lightning adapter, white"), 1.0),
    (Text("wireless mouse", "Mouse pad XXL, 900 x 400 mm, non-slip"), 0.0),
    (Text("kopfhörer mit geräuschunterdrückung", "Over-Ear-Kopfhörer 🎧, schwarz"), 0.0),
    (Text("a single text"), 1.0),
]


def make_attributions(folder: Path) -> dict[str, Any]:
    """For each sample, its logit and the baseline's, and what each token adds to logit and loss."""
    restored = restore_folder(folder)
    restored.checkpoint.model.double()
    cases = [_case(restored, text, label) for text, label in SAMPLES]
    return {"model": folder.name, "cases": cases}


def _case(restored: Restored, text: Text, label: float) -> dict[str, Any]:
    checkpoint = restored.checkpoint
    model: Any = checkpoint.model
    inputs = restored.tokenizer.batch([text], restored.model.tokens_max)
    ids, *others = [inputs[name] for name in checkpoint.family.inputs]
    pair = restored.manifest["pair"]
    specials = [part for part in pair["single"] + pair["pair"] if isinstance(part, int)]
    special = torch.isin(ids[0], torch.tensor(specials))
    baseline = torch.where(special, ids, checkpoint.padding_id)

    def logits(ids: Tensor, *rest: Tensor) -> Tensor:
        given = dict(zip(checkpoint.family.inputs, (ids, *rest), strict=True))
        found: Tensor = model(**given).logits[:, 0]
        return found

    def loss(ids: Tensor, *rest: Tensor) -> Tensor:
        found = logits(ids, *rest)
        target = torch.full_like(found, label)
        return binary_cross_entropy_with_logits(found, target, reduction="none")

    def attributed(of: Any) -> list[float]:
        found = LayerIntegratedGradients(of, find_network(checkpoint).words).attribute(
            ids,
            baseline,
            additional_forward_args=tuple(others),
            n_steps=POINTS,
            method="gausslegendre",
            internal_batch_size=50,
        )
        by_token: list[float] = found.sum(-1)[0][~special].tolist()
        return by_token

    with torch.no_grad():
        logit, at_baseline = (float(logits(end, *others)[0]) for end in (ids, baseline))
    return {
        "sample": {**text.entry(), "label": label},
        "logit": logit,
        "baseline": at_baseline,
        "contributions": attributed(logits),
        "loss_contributions": attributed(loss),
    }
