"""Gradients of a model folder over all its parameters, by PyTorch's autograd in float64.

Each text runs without padding, on the weights as stored. What a sample's gradient is
needed for (its norm, both directions) comes from a backward pass, the tangents <dz, v> along a
direction v from forward-mode differentiation, and the two are held against each other.

The directions are held by parameter as a norm and four projections on signs: `signs` says how the
signs are made, and 90 MB of vectors stay out of the repository.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.export.restore import Restored, restore_folder
from assay.export.texts import Text

PAIRS = Path(__file__).parents[1] / "fixtures" / "pairs.jsonl"
VALIDATION = ":p1"  # how the ids of the pairs behind `loss_gradient` end
PROJECTIONS = 4
NOISE = 1e-12  # of a vector's norm: what a parameter without a gradient shows of rounding
Vector = dict[str, Tensor]

# Beside the pairs: id, query, document, or None for a single text, label.
EDGES: list[tuple[str, Any, Any, int]] = [
    ("empty document", "usb c cable", "", 0),
    ("empty query", "", "USB-C charging cable 2 m", 1),
    ("both empty", "", "", 0),
    ("a single text", "a single text", None, 1),
    ("an empty single text", "", None, 1),
    ("repeated tokens", {"repeat": "cable ", "times": 30}, {"repeat": "cable ", "times": 20}, 1),
    ("the same text twice", "red steel bottle 500 ml", "red steel bottle 500 ml", 0),
    ("document cut", "steel bottle", {"repeat": "Vacuum bottle, 500 ml; ", "times": 90}, 1),
    ("query cut", {"repeat": "a long query about bottles ", "times": 80}, "Vacuum bottle", 0),
    (
        "both cut",
        {"repeat": "long query ", "times": 150},
        {"repeat": "long text ", "times": 150},
        1,
    ),
    ("a single text cut", {"repeat": "stainless steel vacuum bottle, ", "times": 70}, None, 0),
    ("Chinese", "蓝牙耳机", "真无线蓝牙耳机，主动降噪，续航三十小时", 1),
]


@dataclass(frozen=True)
class _Sample:
    id: str
    text: Text
    words: dict[str, Any]
    """How the fixture spells the text; nothing for a pair of `PAIRS`."""
    label: float


@dataclass(frozen=True)
class _Found:
    """Of one text, z its logit: z, ‖h‖² and ‖dz‖²."""

    logit: float
    features_squared: float
    gram: float


def make_gradients(model: Path) -> dict[str, Any]:
    """`{weights_sha256, signs, directions, cases}` of a folder with one logit, under `bce`.

    A direction is `{of, norm, parameters}`: the ids of its samples, its norm (of `mean_direction`
    the coherence), and by parameter `[norm, projection, …]`. A case is `{id, label, logit,
    features_squared, gram, tangent, influence, tangent_mean, alignment}`, with its text where
    pairs.jsonl has it not: `tangent` and `influence` along `loss_gradient`, `tangent_mean` and
    `alignment` along `mean_direction`.
    """
    restored = restore_folder(model)
    samples = _read_samples()
    network = _Network(restored)
    validation = [index for index, sample in enumerate(samples) if sample.id.endswith(VALIDATION)]
    loss_gradient, mean_direction = network.zeros(), network.zeros()
    founds = []
    for index, sample in enumerate(samples):
        found, gradient = network.backward(sample.text)
        r = _residual(found.logit, sample.label)
        if index in validation:
            _add(loss_gradient, gradient, r / len(validation))
        _add(mean_direction, gradient, math.copysign(1 / math.sqrt(found.gram), r) / len(samples))
        founds.append(found)
    texts = [sample.text for sample in samples]
    tangents = [network.tangents(texts, v) for v in (loss_gradient, mean_direction)]
    coherence = _norm(mean_direction)
    cases = [
        _case(sample, found, along_loss, along_mean, coherence)
        for sample, found, along_loss, along_mean in zip(samples, founds, *tangents, strict=True)
    ]
    # <v, v> by forward mode is that of the backward passes.
    along = [cases[index]["influence"] for index in validation]
    assert math.isclose(float(np.mean(along)), _norm(loss_gradient) ** 2, rel_tol=1e-9)
    along = [case["alignment"] for case in cases]
    assert math.isclose(float(np.mean(along)), coherence, rel_tol=1e-9)
    return {
        "weights_sha256": restored.manifest["files"]["weights.bin"]["sha256"],
        "signs": "bit 31 - j of hash(i), i the element's place in its parameter, 0: +1, 1: -1; "
        "hash: x = i * 0x9e3779b1; x ^= x >> 15; x *= 0x85ebca77; x ^= x >> 13; in 32 bits",
        "directions": {
            "loss_gradient": {
                "of": [samples[index].id for index in validation],
                "norm": _norm(loss_gradient),
                "parameters": _sketch(loss_gradient),
            },
            "mean_direction": {
                "of": "all cases",
                "norm": coherence,
                "parameters": _sketch(mean_direction),
            },
        },
        "cases": cases,
    }


def _read_samples() -> list[_Sample]:
    rows = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines()]
    samples = [
        _Sample(row["id"], Text(row["query"], row["document"]), {}, row["label"]) for row in rows
    ]
    for name, query, document, label in EDGES:
        if document is None:
            text, words = Text(_spelled(query)), {"text": query}
        else:
            text = Text(_spelled(query), _spelled(document))
            words = {"query": query, "document": document}
        samples.append(_Sample(name, text, words, label))
    return samples


def _spelled(text: Any) -> str:
    return text if isinstance(text, str) else str(text["repeat"]) * int(text["times"])


def _residual(z: float, label: float) -> float:
    """dl/dz of `bce`."""
    return 1 / (1 + math.exp(-z)) - label


def _case(
    sample: _Sample, found: _Found, along_loss: float, along_mean: float, coherence: float
) -> dict[str, Any]:
    r = _residual(found.logit, sample.label)
    return {
        "id": sample.id,
        **sample.words,
        "label": sample.label,
        "logit": found.logit,
        "features_squared": found.features_squared,
        "gram": found.gram,
        "tangent": along_loss,
        "influence": r * along_loss,
        "tangent_mean": along_mean,
        "alignment": math.copysign(1, r) * along_mean / math.sqrt(found.gram) / coherence,
    }


class _Network:
    """The Hugging Face model in float64."""

    def __init__(self, restored: Restored) -> None:
        self.model: Any = restored.checkpoint.model.to(torch.float64).requires_grad_(True)
        self.tokenizer = restored.tokenizer
        self.tokens_max = int(restored.manifest["max_tokens"])
        self.inputs = restored.checkpoint.family.inputs
        self.tables = [m for m in self.model.modules() if isinstance(m, nn.Embedding)]
        self.features: Tensor | None = None
        head = self.model.get_submodule(restored.checkpoint.family.head)
        head.register_forward_pre_hook(self._keep_features)

    def _keep_features(self, _: Any, inputs: Sequence[Tensor]) -> None:
        self.features = inputs[0].detach()

    def _set_sparse(self, sparse: bool) -> None:
        for table in self.tables:
            table.sparse = sparse

    def zeros(self) -> Vector:
        return {name: torch.zeros_like(p.data) for name, p in self.model.named_parameters()}

    def _encode(self, texts: list[Text]) -> dict[str, Tensor]:
        batch = self.tokenizer.batch(texts, self.tokens_max)
        return {name: batch[name] for name in self.inputs}

    def backward(self, text: Text) -> tuple[_Found, Vector]:
        """One text by itself: what it gives, and dz by parameter, sparse where it is a table."""
        self._set_sparse(True)  # of 30,522 words it touches few
        names, parameters = zip(*self.model.named_parameters(), strict=True)
        logit = self.model(**self._encode([text])).logits[0, 0]
        gradient = dict(zip(names, torch.autograd.grad(logit, parameters), strict=True))
        gradient = {n: g.coalesce() if g.is_sparse else g for n, g in gradient.items()}
        gram = sum(float((_values(g) ** 2).sum()) for g in gradient.values())
        assert self.features is not None
        return _Found(float(logit.detach()), float((self.features**2).sum()), gram), gradient

    def tangents(self, texts: Sequence[Text], direction: Vector) -> list[float]:
        """<dz, direction> of each text, those of one length at once."""
        self._set_sparse(False)  # forward mode knows no other
        stored = {name: p.data for name, p in self.model.named_parameters()}
        by_length: dict[int, list[int]] = {}
        for place, text in enumerate(texts):
            length = self._encode([text])["input_ids"].shape[1]
            by_length.setdefault(length, []).append(place)
        found = [math.nan] * len(texts)
        for places in by_length.values():
            inputs = self._encode([texts[place] for place in places])

            def logits(parameters: Vector, inputs: dict[str, Tensor] = inputs) -> Tensor:
                outputs = torch.func.functional_call(self.model, parameters, (), inputs)
                return torch.as_tensor(outputs.logits[:, 0])

            tangents: list[float] = torch.func.jvp(logits, (stored,), (direction,))[1].tolist()
            for place, tangent in zip(places, tangents, strict=True):
                found[place] = tangent
        return found


def _values(gradient: Tensor) -> Tensor:
    return gradient.values() if gradient.is_sparse else gradient


def _add(vector: Vector, gradient: Vector, factor: float) -> None:
    for name, values in gradient.items():
        vector[name].add_(values, alpha=factor)


def _norm(vector: Vector) -> float:
    return math.sqrt(sum(float((values**2).sum()) for values in vector.values()))


def _sketch(vector: Vector) -> dict[str, list[float]]:
    """By parameter its norm and its projections on signs."""
    least = NOISE * _norm(vector)
    sketch = {}
    for name, values in vector.items():
        flat = values.flatten().numpy()
        signs = _signs(flat.size)
        figures = [float(np.linalg.norm(flat)), *(float(flat @ s) for s in signs)]
        # Keys' biases have no gradient, softmax being blind to them: what they show is rounding.
        sketch[name] = figures if figures[0] > least else [0.0] * len(figures)
    return sketch


def _signs(count: int) -> list[NDArray[np.float64]]:
    """`PROJECTIONS` rows of signs (count), as the fixture's `signs` says."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x85EBCA77)
    x ^= x >> np.uint32(13)
    bits = [(x >> np.uint32(31 - j)) & np.uint32(1) for j in range(PROJECTIONS)]
    return [1.0 - 2.0 * bit.astype(np.float64) for bit in bits]
