"""The client's types against openapi.json: a field that the service renames fails here."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from assay import AssayError
from assay.client import answers
from assay.client.decode import decode
from assay.client.requests import Checkpoint
from assay.client.sending import Limits
from assay.client.weighting import Share, Weighting
from service import ROOT

OPENAPI = json.loads((ROOT / "openapi" / "openapi.json").read_text("utf-8"))
SIGNALS = set(get_type_hints(answers.KeptSignalValues))


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = OPENAPI["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def answer(method: str, path: str) -> dict[str, Any]:
    content = OPENAPI["paths"][path][method]["responses"]["200"]["content"]
    return resolved(content["application/json"]["schema"])


def body(method: str, path: str) -> dict[str, Any]:
    content = OPENAPI["paths"][path][method]["requestBody"]["content"]
    return resolved(content["application/json"]["schema"])


def of(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    """The schema at a path of properties; an array's is that of its items."""
    for name in names:
        schema = non_null(resolved(schema["properties"][name]))
        if schema.get("type") == "array":
            schema = non_null(resolved(schema["items"]))
    return schema


def non_null(schema: dict[str, Any]) -> dict[str, Any]:
    options = [resolved(o) for o in schema.get("anyOf", []) if o != {"type": "null"}]
    return options[0] if len(options) == 1 else schema


SCORE = answer("post", "/v1/score")
SCORED = body("post", "/v1/score")
DATASET = answer("get", "/v1/datasets/{dataset}")
WEIGHED = answer("post", "/v1/datasets/{dataset}/weights")
LOOKED_UP = answer("post", "/v1/datasets/{dataset}/lookup")
OBSERVED = answer("post", "/v1/datasets/{dataset}/observations")
MODEL = answer("get", "/v1/models/{model}")
LEARNED = of(MODEL, "learned")
TYPES: list[tuple[type, dict[str, Any]]] = [
    (answers.ScoreRow, of(SCORE, "results")),
    (answers.ModelVersion, of(SCORE, "model")),
    (answers.BatchDiagnostics, of(SCORE, "diagnostics")),
    (answers.ExactShare, of(SCORE, "diagnostics", "exact_share")),
    (answers.LookUpRow, of(LOOKED_UP, "results")),
    (answers.Weighed, LOOKED_UP),
    (answers.Diagnostics, of(WEIGHED, "diagnostics")),
    (answers.Snapshot, of(WEIGHED, "snapshot")),
    (answers.Dataset, DATASET),
    (answers.Snapshot, of(DATASET, "snapshot")),
    (answers.Dataset, of(answer("get", "/v1/datasets"), "datasets")),
    (answers.KeptSample, answer("get", "/v1/datasets/{dataset}/samples/{id}")),
    (answers.Observed, OBSERVED),
    (answers.TrainingCheckpoint, of(OBSERVED, "checkpoint")),
    (answers.Direction, answer("get", "/v1/directions/{direction}")),
    (answers.Direction, answer("put", "/v1/directions/{direction}")),
    (answers.Models, answer("get", "/v1/models")),
    (answers.Model, MODEL),
    (answers.Memory, of(MODEL, "memory")),
    (answers.Embedding, of(MODEL, "embedding")),
    (answers.Learned, LEARNED),
    (answers.LearnedInputs, of(LEARNED, "inputs")),
    (answers.ExtraInput, of(LEARNED, "inputs", "extras")),
    (Weighting, resolved({"$ref": "#/components/schemas/WeightingInput"})),
    (Share, of(resolved({"$ref": "#/components/schemas/WeightingInput"}), "mix")),
    (Checkpoint, of(SCORED, "trajectory")),
]
# What the client adds: diagnostics of the answer that made a snapshot, and signals as one mapping.
ELSEWHERE = {answers.KeptSample: SIGNALS, answers.Weighed: {"dataset", "results"}}
ADDED = {answers.Snapshot: {"diagnostics"}, answers.KeptSample: {"signals"}}


@pytest.mark.parametrize(("kind", "schema"), TYPES)
def test_a_type_has_the_fields_of_its_schema(kind: type, schema: dict[str, Any]) -> None:
    hints = get_type_hints(kind)
    own = set(hints) - ADDED.get(kind, set())
    expected = set(schema["properties"]) - ELSEWHERE.get(kind, set())
    assert own == expected
    required = set(schema.get("required", []))
    for name in own:
        expected = set(described(schema["properties"][name]))
        absent = {"null"} if is_dataclass(kind) and name not in required else set()
        assert set(shapes(hints[name])) == expected | absent, name
    if is_dataclass(kind):
        own_required = {field.name for field in fields(kind) if field.default is MISSING}
        assert own_required - ADDED.get(kind, set()) == required - ELSEWHERE.get(kind, set())


def shapes(hint: Any) -> Iterator[str]:
    """The JSON that a hint allows, as `described` says it."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        for option in get_args(hint):
            yield from shapes(option)
    elif origin is Literal:
        yield f"one of {sorted(get_args(hint))}"
    elif origin is list:
        yield f"list of {sorted(shapes(get_args(hint)[0]))}"
    elif origin is dict or is_dataclass(hint) or is_typeddict(hint):
        yield "object"
    else:
        yield {
            type(None): "null",
            str: "string",
            bool: "boolean",
            int: "integer",
            float: "number",
            datetime: "date-time",
        }[hint]


def described(schema: dict[str, Any]) -> Iterator[str]:
    """The JSON that a schema allows, in words."""
    schema = resolved(schema)
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from described(option)
    elif "enum" in schema:
        yield f"one of {sorted(schema['enum'])}"
    elif schema["type"] == "array":
        yield f"list of {sorted(described(schema['items']))}"
    elif schema.get("format") == "date-time":
        yield "date-time"
    else:
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield from kinds


def test_requests_have_no_field_that_the_service_lacks() -> None:
    """Those of `test_options_become_fields...`, and the query of a direction."""
    sent = {"model", "dataset", "signals", "loss", "weighting", "precision", "direction"}
    sent |= {"reference", "trajectory", "exact_fraction", "seed", "samples", "checkpoint"}
    assert sent == set(SCORED["properties"])
    query = {p["name"] for p in OPENAPI["paths"]["/v1/directions/{direction}"]["put"]["parameters"]}
    assert {"kind", "loss", "model"} <= query


def test_the_limits_are_the_services() -> None:
    assert SCORED["properties"]["samples"]["maxItems"] == Limits().samples
    ids = body("post", "/v1/datasets/{dataset}/lookup")["properties"]["ids"]
    assert ids["maxItems"] == Limits().ids
    description = OPENAPI["paths"]["/v1/score"]["post"]["description"]
    assert f"at most {Limits().body_bytes} bytes" in description


def test_the_service_takes_every_route_of_the_client() -> None:
    used = {
        ("post", "/v1/score"),
        ("get", "/v1/datasets"),
        ("get", "/v1/datasets/{dataset}"),
        ("delete", "/v1/datasets/{dataset}"),
        ("get", "/v1/datasets/{dataset}/samples/{id}"),
        ("delete", "/v1/datasets/{dataset}/samples/{id}"),
        ("post", "/v1/datasets/{dataset}/lookup"),
        ("post", "/v1/datasets/{dataset}/weights"),
        ("post", "/v1/datasets/{dataset}/observations"),
        ("get", "/v1/directions"),
        ("get", "/v1/directions/{direction}"),
        ("put", "/v1/directions/{direction}"),
        ("delete", "/v1/directions/{direction}"),
        ("get", "/v1/models"),
        ("get", "/v1/models/{model}"),
        ("post", "/v1/models/{model}/reload"),
    }
    assert used <= {(m, p) for p, operations in OPENAPI["paths"].items() for m in operations}


SHARE = {
    "samples": 60,
    "spearman": None,
    "pearson": 0.5,
    "relative_error": 0.1,
    "grad_norm_sum": 1,
    "grad_norm_sum_error": 2,
    "effective_sample_size_error": None,
}


def test_a_field_that_the_client_does_not_know_is_left_out() -> None:
    assert decode(answers.ExactShare, SHARE | {"new": 1}).samples == 60


def test_an_answer_without_a_field_names_it() -> None:
    left = {name: value for name, value in SHARE.items() if name != "pearson"}
    with pytest.raises(AssayError, match="the service's ExactShare lacks 'pearson'"):
        decode(answers.ExactShare, left)
