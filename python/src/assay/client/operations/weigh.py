"""The weights of a whole dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from assay.client.answers.dataset import Snapshot
from assay.client.answers.score import Diagnostics
from assay.client.call import Call, Json, Plan
from assay.client.decode import decode
from assay.client.operations.long_work import LongWork, result_of
from assay.client.paths import dataset_path
from assay.client.progress import Progress


def weigh(dataset: str, weighting: Mapping[str, Any], progress: Progress) -> Plan[Snapshot]:
    """Weighs a whole dataset: its newest snapshot. A request sent twice weighs once."""
    body = json.dumps({"weighting": weighting}, allow_nan=False).encode()
    call = Call(
        "POST",
        f"{dataset_path(dataset)}/weights",
        content=lambda: body,
        headers={"idempotency-key": str(uuid4())},
    )
    answer = yield from result_of(call, LongWork("weighing", dataset, progress))
    return read_weighing(answer)


def read_weighing(answer: Json) -> Snapshot:
    """The snapshot that a weighing has made."""
    found = decode(Snapshot, answer["snapshot"])
    return replace(found, diagnostics=decode(Diagnostics, answer["diagnostics"]))


def list_snapshots(dataset: str) -> Plan[list[Snapshot]]:
    """The snapshots that a dataset keeps."""
    [answer] = yield [Call("GET", f"{dataset_path(dataset)}/snapshots")]
    return [decode(Snapshot, entry) for entry in answer["snapshots"]]
