"""Outputs that a trainer computed itself: read from its arrays, and posted by id."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.client.answers.sample import Observed
from assay.client.call import Call, Plan
from assay.client.chunks import Chunk, make_chunks
from assay.client.decode import decode
from assay.client.errors import Fault, SampleError
from assay.client.paths import dataset_path
from assay.client.progress import Progress, counted
from assay.client.samples import FAULTS_MAX, Sample, encoded
from assay.client.sending import Limits
from assay.client.values import Reader, plain, read_label, read_name, read_number

# The service's own limits of one body of observations.
LOGITS_MAX = 2**16
BODY_BYTES_MAX = 2 * 2**20


class Arguments:
    """A field of a sample comes from an argument, which is in the plural."""

    def column_of(self, pointer: str) -> str:
        """The argument that holds a place of a sample."""
        field = pointer.partition("/")[0]
        return field if field == "logits" else f"{field}s"


ARGUMENTS = Arguments()


@dataclass(frozen=True)
class Outputs:
    """Columns (N) of the caller's: lists, arrays, tensors or columns of a frame.

    `logits` are N numbers, (N, 1) or (N, K). A column that is None is left out.
    """

    ids: Any
    logits: Any
    labels: Any
    feature_norms: Any
    groups: Any
    sources: Any


def observe(
    dataset: str, outputs: Outputs, fields: Mapping[str, Any], limits: Limits, progress: Progress
) -> Plan[Observed]:
    """Posts outputs in as many requests as they need; the samples of a group go together.

    `fields` are those of the request beside its samples. Without a `loss`, it is `bce` for one
    logit and `cross_entropy` for several. To send a request twice does no harm: a post that repeats
    a checkpoint replaces its logits.

    Raises:
        SampleError: a value is missing or none that the service takes, two samples have one id, or
            the columns are of different lengths; nothing was sent.
    """
    samples, classes = read_outputs(outputs)
    head = json.dumps(
        {"loss": "bce" if classes == 1 else "cross_entropy", **fields}, ensure_ascii=False
    )
    chunks = make_chunks(samples, ARGUMENTS, _within(limits, classes))
    done = counted(progress, len(samples), "observed", "samples")
    answers = yield [_call(dataset, head, chunk, done) for chunk in chunks]
    totals = {name: sum(answer[name] for answer in answers) for name in ("samples", "late")}
    return decode(Observed, {**answers[0], **totals})


def _within(limits: Limits, classes: int) -> Limits:
    """Limits of a request whose samples have K logits each."""
    return replace(
        limits,
        samples=min(limits.samples, LOGITS_MAX // classes),
        body_bytes=min(limits.body_bytes, BODY_BYTES_MAX),
    )


def read_outputs(outputs: Outputs) -> tuple[list[Sample], int]:
    """The samples (N > 0) as JSON, and K, the number of logits of each.

    Raises:
        SampleError: as `observe`.
    """
    columns = _columns(outputs)
    faults: list[Fault] = []
    found: list[Sample] = []
    rows: dict[str, int] = {}
    classes = 0
    for row, values in enumerate(zip(*(values for _, values in columns), strict=True)):
        read: dict[str, Any] = {}
        for (column, _), value in zip(columns, values, strict=True):
            try:
                read[column.field] = column.read(value)
            except ValueError as error:
                faults.append(_fault(row, column.field, str(error)))
                read[column.field] = None
        count = len(read["logits"]) if isinstance(read["logits"], list) else 1
        classes = classes or count
        if count != classes:
            message = f"holds {count} logits, and row 0 holds {classes}"
            faults.append(_fault(row, "logits", message))
        id = read["id"]
        if id is not None and rows.setdefault(id, row) != row:
            faults.append(_fault(row, "id", f"is the id of row {rows[id]} too"))
        if len(faults) >= FAULTS_MAX:
            break
        found.append(_sample(read))
    if faults:
        raise SampleError(faults[:FAULTS_MAX])
    if not found:
        raise SampleError([Fault("/samples", "are none: give at least one id")])
    return found, classes


@dataclass(frozen=True)
class _Column:
    field: str
    read: Reader


def _needed(read: Reader) -> Reader:
    def reader(value: object) -> Any:
        found = read(value)
        if found is None:
            raise ValueError("is missing: give one, or leave the sample out")
        return found

    return reader


def _columns(outputs: Outputs) -> list[tuple[_Column, Sequence[object]]]:
    """The columns that are given, all of one length."""
    readers: Sequence[tuple[str, Reader, Any]] = (
        ("id", _needed(read_name), outputs.ids),
        ("logits", _needed(read_label), outputs.logits),
        ("label", read_label, outputs.labels),
        ("feature_norm", read_number, outputs.feature_norms),
        ("group", read_name, outputs.groups),
        ("source", read_name, outputs.sources),
    )
    columns = [
        (_Column(field, read), _values(values, field))
        for field, read, values in readers
        if values is not None
    ]
    count = len(columns[0][1])
    for column, values in columns:
        if len(values) != count:
            name = ARGUMENTS.column_of(column.field)
            message = f"{name} hold {len(values)} values, and ids {count}: give one for each id"
            raise SampleError([Fault("", message)])
    return columns


def _values(values: Any, field: str) -> Sequence[object]:
    read = plain(values)
    if isinstance(read, (str, bytes, Mapping)) or not isinstance(read, Iterable):
        name = ARGUMENTS.column_of(field)
        raise TypeError(
            f"{name} are one {type(values).__name__}: pass a list, an array or a column"
        )
    return read if isinstance(read, list) else list(read)


def _fault(row: int, field: str, message: str) -> Fault:
    return Fault(f"/samples/{row}/{field}", message, row, ARGUMENTS.column_of(field))


def _sample(read: Mapping[str, Any]) -> Sample:
    given = {name: value for name, value in read.items() if value is not None}
    # The service asks for a label, so that none is left out by mistake.
    given.setdefault("label", None)
    return Sample(encoded(given).encode(), 0, given.get("id"), given.get("group"))


def _call(dataset: str, head: str, chunk: Chunk, done: Callable[[int], None]) -> Call:
    return Call(
        "POST",
        f"{dataset_path(dataset)}/observations",
        content=lambda: head[:-1].encode() + b',"samples":[' + chunk.joined(b",") + b"]}",
        place=chunk.place,
        done=lambda: done(len(chunk.rows)),
    )
