"""Signals from a running service: POST /v1/score, in batches."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay.learned.errors import LearnedError
from assay.learned.samples import Sample

BATCH = 128
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Service:
    """Where a service listens, and the model to ask it for. `key` is its bearer key."""

    url: str
    model: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Scores:
    """Rows (N) in the order of the samples, the loss of their signals, and the version of the model
    that made them, None where it is not known."""

    rows: list[dict[str, Any]]
    loss: str
    version: str | None


def score_samples(service: Service, samples: Sequence[Sample], options: dict[str, Any]) -> Scores:
    """Scores samples. `options` are further fields of the request: signals, loss, direction.

    Samples of one group go in one request, because a loss may read the whole group.

    Raises:
        LearnedError: the service does not answer, or refuses the samples; with its reason.
    """
    rows: dict[int, dict[str, Any]] = {}
    losses, versions = set(), set()
    for batch in _batches(samples):
        body = {**options, "weighting": None, "samples": [samples[n].request for n in batch]}
        if service.model is not None:
            body["model"] = service.model
        answer = _post(service, body)
        rows.update(zip(batch, answer["results"], strict=True))
        losses.add(answer["loss"])
        versions.add(answer["model"]["version"])
    if len(versions) > 1:
        raise LearnedError("the service's model was replaced meanwhile: run it again")
    return Scores([rows[n] for n in range(len(samples))], losses.pop(), versions.pop())


def _batches(samples: Sequence[Sample]) -> list[list[int]]:
    """Places of the samples, BATCH or more together, no group divided."""
    groups: dict[object, list[int]] = {}
    for place, sample in enumerate(samples):
        groups.setdefault(sample.fields.get("group", (place,)), []).append(place)
    batches: list[list[int]] = []
    for members in groups.values():
        if not batches or len(batches[-1]) + len(members) > BATCH:
            batches.append([])
        batches[-1] += members
    return batches


def _post(service: Service, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{service.url.rstrip('/')}/v1/score",
        data=json.dumps(body, allow_nan=False).encode(),
        headers={"content-type": "application/json"},
    )
    if service.key is not None:
        request.add_header("authorization", f"Bearer {service.key}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        reason = error.read().decode(errors="replace")[:500]
        raise LearnedError(f"the service refuses the samples: {error.code} {reason}") from error
    except OSError as error:
        raise LearnedError(f"{service.url} does not answer: {error}") from error
    return answer
