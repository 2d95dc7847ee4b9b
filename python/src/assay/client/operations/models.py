"""The models of a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.client.answers.model import Model, Models
from assay.client.call import Call, Plan
from assay.client.decode import decode
from assay.client.paths import model_path

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


def push_weights(
    source: Any,
    name: str,
    tokenizer: Any | None,
    provenance: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Plan[Model]:
    """Replaces a model's weights by those of a torch module or a checkpoint."""
    from assay.client.push.upload import make_upload

    [manifest] = yield [Call("GET", f"{model_path(name)}/manifest")]
    upload = make_upload(source, manifest, tokenizer, provenance, metrics)
    [answer] = yield [
        Call(
            "PUT",
            f"{model_path(name)}/weights",
            content=lambda: upload,
            media_type=WEIGHTS_MEDIA_TYPE,
        )
    ]
    return decode(Model, answer)
