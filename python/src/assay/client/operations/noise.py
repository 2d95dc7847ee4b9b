"""The labels of a dataset that may be wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.client.answers.noise import Noise
from assay.client.call import Call, Json, Plan
from assay.client.decode import decode
from assay.client.operations.long_work import LongWork, result_of
from assay.client.paths import dataset_path
from assay.client.progress import Progress


def find_noise(dataset: str, fields: Mapping[str, Any], progress: Progress) -> Plan[Noise]:
    """Ranks the labels of a dataset by how likely they are wrong. `fields` are the request's."""
    body = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    call = Call("POST", f"{dataset_path(dataset)}/noise", content=lambda: body)
    answer = yield from result_of(call, LongWork("looking for wrong labels in", dataset, progress))
    return read_noise(answer)


def read_noise(answer: Json) -> Noise:
    """What a job has found; without the suspects where they were left out."""
    return decode(Noise, answer)
