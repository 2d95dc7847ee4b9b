"""An upload of weights made in memory, from the manifest that the service answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from torch import nn

from assay.client.call import Json
from assay.client.errors import AssayError
from assay.client.push.source import Source, read_source
from assay.export.upload_format import FORMAT, parameter_differences, upload_prefix
from assay.export.weights import Parameter, load_weights, pack_weights_in_memory

LOCATION = "weights.bin"
TEXTS = ("query", "document", "text")


@dataclass(frozen=True)
class Upload:
    """An upload's bytes, and the model with the weights as they are stored."""

    content: bytes
    source: Source
    manifest: Json

    @property
    def tolerance(self) -> float:
        """How near the logits of the graphs and of PyTorch have to be."""
        return float(self.manifest["self_test"]["tolerance"])

    @property
    def texts(self) -> list[Json]:
        """The texts of the self-test."""
        samples = self.manifest["self_test"]["samples"]
        return [{name: s[name] for name in TEXTS if name in s} for s in samples]

    def logits(self, text: Json) -> list[float]:
        """The logits (K) that PyTorch computes of one text."""
        return _logits(self.source, text, self.manifest)


def make_upload(
    source: Any,
    manifest: Json,
    tokenizer: Any | None,
    provenance: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Upload:
    """The upload of a model. Its self-test has the logits of the weights as they are stored.

    The service runs the self-test in its own graphs before it swaps: what PyTorch computes here and
    the graphs compute there has to agree.

    Raises:
        AssayError: the model has other parameters or another family than the manifest
            (`unsuitable_model`).
    """
    given = read_source(source, tokenizer)
    _check_architecture(given.model, manifest)
    parameters = [Parameter.from_entry(entry) for entry in manifest["parameters"]]
    size = int(manifest["files"][LOCATION]["bytes"])
    weights = pack_weights_in_memory(given.model, parameters, size)
    load_weights(given.model, weights)
    header = {
        "format": FORMAT,
        "weights": {"sha256": hashlib.sha256(weights.content).hexdigest(), "bytes": size},
        "parameters": manifest["parameters"],
        "precision": _lasting_precision(manifest),
        "self_test": {
            "tolerance": manifest["self_test"]["tolerance"],
            "samples": [
                {**sample, "logits": _logits(given, sample, manifest)}
                for sample in manifest["self_test"]["samples"]
            ],
        },
        "provenance": {
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "versions": {"torch": str(torch.__version__)},
            **provenance,
        },
        "metrics": dict(metrics),
    }
    return Upload(b"".join((upload_prefix(header), weights.content)), given, manifest)


def _check_architecture(model: nn.Module, manifest: Json) -> None:
    if not manifest["parameters"]:
        raise AssayError(
            "unsuitable_model",
            f"{manifest['name']} was imported from an ONNX file, and does not say where its "
            "weights lie: export the checkpoint with python -m assay.export",
        )
    family = manifest["architecture"]["family"]
    own = getattr(getattr(model, "config", None), "model_type", family)
    if own != family:
        raise AssayError(
            "unsuitable_model",
            f"the model is of family {own}, and {manifest['name']} of {family}",
        )
    differences = parameter_differences(model, manifest["parameters"])
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise AssayError(
            "unsuitable_model",
            f"the model has another architecture than {manifest['name']}: {differences[0]}{more}",
        )


def _lasting_precision(manifest: Json) -> Json:
    """What the manifest says of the graphs, whatever the weights are."""
    gradients = manifest["precision"].get("gradients", {})
    if "unsupported" not in gradients:
        return {}
    return {"gradients": {"unsupported": gradients["unsupported"]}}


def _logits(source: Source, sample: Json, manifest: Json) -> list[float]:
    """The logits (K) of one sample of the self-test."""
    first = sample.get("text", sample.get("query"))
    second = sample.get("document")
    # Batched, because a tokeniser of a single pair may take an empty second text for none.
    encoded = source.tokenizer(
        [first],
        None if second is None else [second],
        truncation="longest_first",
        max_length=int(manifest["max_tokens"]),
        return_token_type_ids=True,
    )
    ids = torch.tensor(encoded["input_ids"])  # (1, T)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "token_type_ids" in manifest["inputs"]:
        typed = "token_type_ids" in source.tokenizer.model_input_names
        types = torch.tensor(encoded["token_type_ids"])
        inputs["token_type_ids"] = types if typed else torch.zeros_like(ids)
    with torch.no_grad():
        logits = source.model(**inputs).logits.flatten()
    return [float(logit) for logit in logits]
