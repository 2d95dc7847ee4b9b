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
from assay.client.answers.dataset import (
    Dataset,
    EmbeddedBy,
    KeptEmbeddings,
    LookUpRow,
    Snapshot,
    Weighed,
)
from assay.client.answers.direction import Direction
from assay.client.answers.estimate import Estimate, EstimateDiagnostics, Estimates
from assay.client.answers.explanation import Baseline, Explanation, Piece
from assay.client.answers.job import Job
from assay.client.answers.look import Histogram, Histograms, Slice, SliceMean, Slices
from assay.client.answers.model import (
    Embedding,
    ExtraInput,
    Learned,
    LearnedInputs,
    Memory,
    Model,
    Models,
)
from assay.client.answers.noise import (
    FlipRate,
    LabelRecall,
    Noise,
    PlantedRecall,
    Suspect,
    WrongLabels,
)
from assay.client.answers.sample import (
    CheckpointLogits,
    History,
    KeptSample,
    ListedSample,
    MergedCheckpoints,
    Observed,
    TrainingCheckpoint,
)
from assay.client.answers.score import (
    BatchDiagnostics,
    Diagnostics,
    ExactShare,
    ModelVersion,
    ScoreRow,
)
from assay.client.answers.selection import Method, Selection, SelectionFacts, StratifyBy, Stratum
from assay.client.answers.signals import KeptSignalValues
from assay.client.decode import decode
from assay.client.requests import Checkpoint, EmbeddingLimits
from assay.client.sending import Limits
from assay.client.weighting import Share, Weighting
from service import ROOT

OPENAPI = json.loads((ROOT / "openapi" / "openapi.json").read_text("utf-8"))
SIGNALS = set(get_type_hints(KeptSignalValues))


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
SAMPLE = answer("get", "/v1/datasets/{dataset}/samples/{id}")
HISTOGRAMS = answer("get", "/v1/datasets/{dataset}/histograms")
SLICES = answer("get", "/v1/datasets/{dataset}/slices")
SETTINGS = body("put", "/v1/datasets/{dataset}")
ESTIMATED = answer("post", "/v1/estimate")
EXPLAINED = of(answer("post", "/v1/explain"), "results")
NOISE = answer("post", "/v1/datasets/{dataset}/noise")
SELECTED = answer("post", "/v1/datasets/{dataset}/select")
MODEL = answer("get", "/v1/models/{model}")
LEARNED = of(MODEL, "learned")
TYPES: list[tuple[type, dict[str, Any]]] = [
    (ScoreRow, of(SCORE, "results")),
    (ModelVersion, of(SCORE, "model")),
    (BatchDiagnostics, of(SCORE, "diagnostics")),
    (ExactShare, of(SCORE, "diagnostics", "exact_share")),
    (LookUpRow, of(LOOKED_UP, "results")),
    (Weighed, LOOKED_UP),
    (Diagnostics, of(WEIGHED, "diagnostics")),
    (Snapshot, of(WEIGHED, "snapshot")),
    (Dataset, DATASET),
    (Snapshot, of(DATASET, "snapshot")),
    (Dataset, of(answer("get", "/v1/datasets"), "datasets")),
    (Dataset, answer("put", "/v1/datasets/{dataset}")),
    (KeptEmbeddings, of(DATASET, "embedding")),
    (EmbeddedBy, of(DATASET, "embedding", "of")),
    (EmbeddingLimits, of(SETTINGS, "embedding")),
    (KeptSample, SAMPLE),
    (History, of(SAMPLE, "history")),
    (CheckpointLogits, of(SAMPLE, "history", "checkpoints")),
    (MergedCheckpoints, of(SAMPLE, "history", "merged")),
    (TrainingCheckpoint, of(SAMPLE, "history", "merged", "through")),
    (ListedSample, of(answer("get", "/v1/datasets/{dataset}/samples"), "samples")),
    (Snapshot, of(answer("get", "/v1/datasets/{dataset}/snapshots"), "snapshots")),
    (Histograms, HISTOGRAMS),
    (Histogram, of(HISTOGRAMS, "histograms")),
    (Slices, SLICES),
    (Slice, of(SLICES, "slices")),
    (SliceMean, of(SLICES, "slices", "means")),
    (SelectionFacts, SELECTED),
    (Selection, SELECTED),
    (EmbeddedBy, of(SELECTED, "embedding")),
    (Stratum, of(SELECTED, "strata")),
    (Job, answer("get", "/v1/jobs/{job}")),
    (Job, answer("delete", "/v1/jobs/{job}")),
    (Job, of(answer("get", "/v1/jobs"), "jobs")),
    (Observed, OBSERVED),
    (TrainingCheckpoint, of(OBSERVED, "checkpoint")),
    (Direction, answer("get", "/v1/directions/{direction}")),
    (Direction, answer("put", "/v1/directions/{direction}")),
    (Direction, answer("put", "/v1/directions/{direction}/scale")),
    (Estimates, ESTIMATED),
    (Estimate, of(ESTIMATED, "estimates")),
    (EstimateDiagnostics, of(ESTIMATED, "diagnostics")),
    (Explanation, EXPLAINED),
    (Piece, of(EXPLAINED, "pieces")),
    (Baseline, of(EXPLAINED, "baseline")),
    (Noise, NOISE),
    (FlipRate, of(NOISE, "rates")),
    (WrongLabels, of(NOISE, "wrong_labels")),
    (PlantedRecall, of(NOISE, "planted")),
    (LabelRecall, of(NOISE, "planted", "recall")),
    (Suspect, of(NOISE, "suspects")),
    (Models, answer("get", "/v1/models")),
    (Model, MODEL),
    (Memory, of(MODEL, "memory")),
    (Embedding, of(MODEL, "embedding")),
    (Learned, LEARNED),
    (LearnedInputs, of(LEARNED, "inputs")),
    (ExtraInput, of(LEARNED, "inputs", "extras")),
    (Weighting, resolved({"$ref": "#/components/schemas/WeightingInput"})),
    (Share, of(resolved({"$ref": "#/components/schemas/WeightingInput"}), "mix")),
    (Checkpoint, of(SCORED, "trajectory")),
]
# What the client adds: diagnostics of the answer that made a snapshot, signals as one mapping, and
# the samples of a selection in columns.
ELSEWHERE = {
    KeptSample: SIGNALS,
    ListedSample: SIGNALS,
    Weighed: {"dataset", "results"},
    SelectionFacts: {"samples"},
    Selection: {"samples"},
}
ADDED = {
    Snapshot: {"diagnostics"},
    KeptSample: {"signals"},
    ListedSample: {"signals"},
    Selection: {"ids", "counts", "probabilities", "multipliers"},
}


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
    elif origin is dict or is_dataclass(hint) or is_typeddict(hint) or hint is AssayError:
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


def parameters(method: str, path: str) -> set[str]:
    return {p["name"] for p in OPENAPI["paths"][path][method]["parameters"]}


def test_requests_have_no_field_that_the_service_lacks() -> None:
    """Those of the tests that compare whole requests: of scores, outputs, selections and looks."""
    sent = {"model", "dataset", "signals", "loss", "weighting", "precision", "direction"}
    sent |= {"reference", "trajectory", "exact_fraction", "seed", "samples", "checkpoint"}
    assert sent == set(SCORED["properties"])
    estimated = {"values", "inclusion_probabilities", "population", "log_p", "log_q", "normalised"}
    assert estimated == set(body("post", "/v1/estimate")["properties"])
    explained = {"model", "loss", "method", "class", "samples"}
    assert explained == set(body("post", "/v1/explain")["properties"])
    dataset = "/v1/datasets/{dataset}"
    assert {"kind", "loss", "model"} <= parameters("put", "/v1/directions/{direction}")
    assert {"format", "snapshot"} <= parameters("get", f"{dataset}/export")
    filtered = {"label", "source", "range"}
    assert {"sort", "limit", "cursor"} | filtered <= parameters("get", f"{dataset}/samples")
    counted = {"column", "bins", "scale", "map"}
    assert counted | filtered <= parameters("get", f"{dataset}/histograms")
    assert {"by", "column", "limit"} | filtered <= parameters("get", f"{dataset}/slices")
    assert set(SETTINGS["properties"]) == {"embedding", "hashed_ids"}
    outputs = body("post", f"{dataset}/observations")
    assert set(outputs["properties"]) == {"model", "checkpoint", "loss", "mode", "samples"}
    fields = {"id", "label", "logits", "feature_norm", "group", "source"}
    assert fields == set(of(outputs, "samples")["properties"]) - {"text_digest"}
    selection = body("post", f"{dataset}/select")
    assert set(selection["properties"]) == SELECT_FIELDS
    assert set(of(selection, "filter")["properties"]) == {"label", "source", "ranges"}
    noise = body("post", f"{dataset}/noise")
    assert set(noise["properties"]) == {"evidence", "checkpoint", "planted", "recall", "limit"}
    assert set(selection["properties"]["method"]["enum"]) == set(get_args(Method))
    assert set(selection["properties"]["stratify_by"]["enum"]) == set(get_args(StratifyBy))


SELECT_FIELDS = {"method", "size", "share", "signal", "stratify_by", "quotas", "filter", "exclude"}
SELECT_FIELDS |= {"seed", "prune", "epoch", "epochs", "strength", "outliers", "diverse"}


def test_the_limits_are_the_services() -> None:
    assert SCORED["properties"]["samples"]["maxItems"] == Limits().samples
    ids = body("post", "/v1/datasets/{dataset}/lookup")["properties"]["ids"]
    assert ids["maxItems"] == Limits().ids
    description = OPENAPI["paths"]["/v1/score"]["post"]["description"]
    assert f"at most {Limits().body_bytes} bytes" in description


def test_the_client_has_a_method_for_every_route() -> None:
    dataset, model = "/v1/datasets/{dataset}", "/v1/models/{model}"
    used = {
        ("post", "/v1/score"),
        ("post", "/v1/explain"),
        ("post", "/v1/estimate"),
        ("get", "/v1/datasets"),
        ("get", dataset),
        ("put", dataset),
        ("delete", dataset),
        ("get", f"{dataset}/samples"),
        ("get", f"{dataset}/samples/{{id}}"),
        ("delete", f"{dataset}/samples/{{id}}"),
        ("get", f"{dataset}/histograms"),
        ("get", f"{dataset}/slices"),
        ("get", f"{dataset}/snapshots"),
        ("get", f"{dataset}/export"),
        ("post", f"{dataset}/lookup"),
        ("post", f"{dataset}/weights"),
        ("post", f"{dataset}/observations"),
        ("post", f"{dataset}/select"),
        ("post", f"{dataset}/noise"),
        ("get", "/v1/jobs"),
        ("get", "/v1/jobs/{job}"),
        ("delete", "/v1/jobs/{job}"),
        ("get", "/v1/directions"),
        ("get", "/v1/directions/{direction}"),
        ("put", "/v1/directions/{direction}"),
        ("put", "/v1/directions/{direction}/scale"),
        ("delete", "/v1/directions/{direction}"),
        ("get", "/v1/models"),
        ("get", model),
        ("get", f"{model}/manifest"),
        ("post", f"{model}/reload"),
        ("put", f"{model}/weights"),
    }
    of_operators = {("get", path) for path in ("/healthz", "/readyz", "/metrics")}
    routes = {(m, p) for p, operations in OPENAPI["paths"].items() for m in operations}
    assert used == routes - of_operators


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
    assert decode(ExactShare, SHARE | {"new": 1}).samples == 60


def test_an_answer_without_a_field_names_it() -> None:
    left = {name: value for name, value in SHARE.items() if name != "pearson"}
    with pytest.raises(AssayError, match="the service's ExactShare lacks 'pearson'"):
        decode(ExactShare, left)
