"""The models of a service."""

from __future__ import annotations

from assay.client.answers import Model, Models
from assay.client.call import Call, Plan
from assay.client.decode import decode
from assay.client.paths import model_path


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
