"""The models of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from assay.client.answers.model import Model, Models
from assay.client.call import Call, Plan
from assay.client.decode import decode
from assay.client.paths import model_path
from assay.client.sending import Limits
from assay.client.sources import Samples

WEIGHTS_MEDIA_TYPE = "application/vnd.assay.weights"


def list_models() -> Plan[Models]:
    """Every model folder."""
    [answer] = yield [Call("GET", "/v1/models")]
    return decode(Models, answer)


def read_model(name: str) -> Plan[Model]:
    """One model."""
    [answer] = yield [Call("GET", model_path(name))]
    return decode(Model, answer)


def reload_model(name: str) -> Plan[Model]:
    """Reads a model's folder again, and answers when the new one is served."""
    [answer] = yield [Call("POST", f"{model_path(name)}/reload")]
    return decode(Model, answer)


@dataclass(frozen=True)
class PushOptions:
    """What the caller decides about a push: `Client.push_weights` explains it."""

    tokenizer: Any | None
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]
    check: Literal["fast", "full"]
    texts: Samples | None


def push_weights(source: Any, name: str, options: PushOptions, limits: Limits) -> Plan[Model]:
    """Replaces a model's weights by those of a torch module or a checkpoint."""
    # They import torch, which a client that pushes nothing does not need.
    from assay.client.push.served import compare_served
    from assay.client.push.upload import make_upload

    [manifest] = yield [Call("GET", f"{model_path(name)}/manifest")]
    upload = make_upload(source, manifest, options.tokenizer, options.provenance, options.metrics)
    [answer] = yield [
        Call(
            "PUT",
            f"{model_path(name)}/weights",
            content=lambda: upload.content,
            media_type=WEIGHTS_MEDIA_TYPE,
        )
    ]
    model = decode(Model, answer)
    if options.check == "full":
        yield from compare_served(upload, model, options.texts, limits)
    return model
