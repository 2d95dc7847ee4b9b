"""Samples of a dataset, selected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.client.answers.selection import Selection, SelectionFacts
from assay.client.call import Call, Json, Plan
from assay.client.decode import decode
from assay.client.operations.long_work import LongWork, result_of
from assay.client.paths import dataset_path
from assay.client.problems import LINES
from assay.client.progress import Progress
from assay.client.table import as_array


def select(dataset: str, fields: Mapping[str, Any], progress: Progress) -> Plan[Selection]:
    """Selects samples of a dataset. `fields` are those of the request."""
    body = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    call = Call(
        "POST",
        f"{dataset_path(dataset)}/select",
        content=lambda: body,
        headers={"accept": LINES},
        read=_columns_of,
    )
    answer = yield from result_of(call, LongWork("selecting", dataset, progress))
    return decode(Selection, answer)


def read_selection(answer: Json) -> SelectionFacts:
    """What a job has selected; its facts alone where the samples were left out."""
    samples = answer["samples"]
    if samples is None:
        return decode(SelectionFacts, answer)
    return decode(Selection, _in_columns(answer, samples))


def _columns_of(lines: bytes) -> Json:
    """A selection in JSON lines: its facts, then its samples."""
    facts, *samples = (json.loads(line) for line in lines.splitlines())
    return _in_columns(facts, samples)


def _in_columns(facts: Json, samples: list[Json]) -> Json:
    """A selection with its samples in columns."""

    def numbers(name: str) -> Any:
        return as_array([float(sample[name]) for sample in samples])

    draws = facts["divisor"] is not None
    return {
        **facts,
        "ids": [sample["id"] for sample in samples],
        "counts": as_array([sample["count"] for sample in samples]),
        "probabilities": numbers("probability") if draws else None,
        "multipliers": numbers("multiplier") if draws else None,
    }
