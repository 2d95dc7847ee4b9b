"""Scoring any number of samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from assay.client.answers.score import BatchDiagnostics, ModelVersion, ScoreRow
from assay.client.call import Call, Json, Plan
from assay.client.chunks import Chunk, make_chunks, make_one_chunk
from assay.client.decode import decode
from assay.client.errors import AssayError
from assay.client.progress import Progress, counted
from assay.client.samples import Columns, read_samples
from assay.client.scores import Request, Scores
from assay.client.sending import Limits
from assay.client.sources import Samples


@dataclass(frozen=True)
class ScoreOptions:
    """The fields of the request beside its samples, without those that are None.

    A weighting compares the samples of one request: it is None where they need several.
    """

    fields: Mapping[str, Any]
    weighting: Mapping[str, Any] | None

    def head(self) -> bytes:
        """The body up to its samples."""
        body = {**self.fields, "weighting": self.weighting}
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text[:-1].encode() + b',"samples":['


def score(
    samples: Samples,
    columns: Columns,
    options: ScoreOptions,
    limits: Limits,
    progress: Progress,
) -> Plan[Scores]:
    """Scores samples in as many requests as they need.

    Raises:
        SampleError: a sample has a fault; nothing was sent.
        AssayError: a weighting is asked of more samples than one request takes.
    """
    read = read_samples(samples, columns)
    if options.weighting is None:
        chunks = make_chunks(read, columns, limits)
    else:
        whole = make_one_chunk(read, columns, limits)
        if whole is None:
            raise AssayError(
                "not_one_batch",
                f"a weighting compares the samples of one request, and {len(read)} samples need "
                "several: score them with a dataset and no weighting, then call weigh(dataset) and "
                "weights(ids, dataset=dataset)",
            )
        chunks = [whole]
    done = counted(progress, len(read), "scored", "samples")
    answers = yield [_call(chunk, options, done) for chunk in chunks]
    return _scores(chunks, answers)


def _call(chunk: Chunk, options: ScoreOptions, done: Any) -> Call:
    return Call(
        "POST",
        "/v1/score",
        content=lambda: options.head() + chunk.joined(b",") + b"]}",
        place=chunk.place,
        done=lambda: done(len(chunk.rows)),
    )


def _scores(chunks: Sequence[Chunk], answers: Sequence[Json]) -> Scores:
    rows: list[ScoreRow | None] = [None] * sum(len(chunk.rows) for chunk in chunks)
    requests = []
    for chunk, answer in zip(chunks, answers, strict=True):
        for row, result in zip(chunk.rows, answer["results"], strict=True):
            rows[row] = cast(ScoreRow, result)
        model = decode(ModelVersion, answer["model"])
        requests.append(Request(chunk.rows, model, decode(BatchDiagnostics, answer["diagnostics"])))
    return Scores(cast(list[ScoreRow], rows), str(answers[0]["loss"]), requests)
