"""Which words move a sample's logits and loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay.client.answers.explanation import Explanation
from assay.client.call import Call, Plan
from assay.client.chunks import Chunk, make_chunks
from assay.client.decode import decode
from assay.client.samples import Columns, read_samples
from assay.client.sending import Limits
from assay.client.sources import Samples

SAMPLES_MAX = 4  # of one request: a long text takes seconds


def explain(
    samples: Samples, columns: Columns, fields: Mapping[str, Any], limits: Limits
) -> Plan[list[Explanation]]:
    """Explains samples, in their order. `fields` are those of the request beside them.

    Raises:
        SampleError: a sample has a fault; nothing was sent.
    """
    # A sample is explained without its group, so groups may be divided.
    read = [replace(sample, group=None) for sample in read_samples(samples, columns)]
    few = replace(limits, samples=min(limits.samples, SAMPLES_MAX))
    head = json.dumps(fields)[1:-1].encode()
    chunks = make_chunks(read, columns, few)
    answers = yield [_call(chunk, head) for chunk in chunks]
    return [decode(Explanation, result) for answer in answers for result in answer["results"]]


def _call(chunk: Chunk, head: bytes) -> Call:
    start = b"{" + head + (b"," if head else b"") + b'"samples":['
    return Call(
        "POST",
        "/v1/explain",
        content=lambda: start + chunk.joined(b",") + b"]}",
        place=chunk.place,
    )
