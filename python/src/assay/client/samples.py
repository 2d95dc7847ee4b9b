"""The caller's samples as the service takes them, checked before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.client.errors import Fault, SampleError
from assay.client.sources import Samples, column_names, rows_of
from assay.client.values import (
    Reader,
    read_extras,
    read_label,
    read_name,
    read_number,
    read_text,
)

# One encoder for all: `json.dumps` makes one a call.
encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
FAULTS_MAX = 20  # as many as the service names
CHARACTERS_A_TOKEN = 4
SPECIAL_TOKENS = 3
TOKENS_MAX = 512  # what most models cut to
READERS: Mapping[str, Reader] = {
    "id": read_name,
    "query": read_text,
    "document": read_text,
    "text": read_text,
    "label": read_label,
    "group": read_name,
    "source": read_name,
    "reference_loss": read_number,
    "extras": read_extras,
}


@dataclass(frozen=True)
class Columns:
    """The caller's names of a sample's fields; None: the field's own name, if it is there.

    Naming `text` leaves query and document out, and naming one of those leaves text out. `extras`
    are columns of numbers, which become a sample's extras under their own names.
    """

    id: str | None = None
    query: str | None = None
    document: str | None = None
    text: str | None = None
    label: str | None = None
    group: str | None = None
    source: str | None = None
    extras: tuple[str, ...] = ()

    def names(self) -> dict[str, str]:
        """The column of each field that may be read."""
        given = self._given()
        left_out = {"query", "document"} if self.text is not None else set()
        if self.query is not None or self.document is not None:
            left_out = {"text"}
        return {name: given.get(name) or name for name in READERS if name not in left_out}

    def demanded(self) -> list[str]:
        """The columns that the caller has named."""
        return [*self._given().values(), *self.extras]

    def column_of(self, pointer: str) -> str:
        """The caller's name of a place in a sample: `label`, or `extras/NAME`."""
        field, _, inner = pointer.partition("/")
        if inner in self.extras:
            return inner
        column = self.names().get(field, field)
        return f"{column}/{inner}" if inner else column

    def _given(self) -> dict[str, str]:
        names = ("id", "query", "document", "text", "label", "group", "source")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(frozen=True)
class Sample:
    """One sample, as JSON in UTF-8. `tokens` is an estimate."""

    json: bytes
    tokens: int
    id: str | None
    group: str | None


def read_samples(samples: Samples, columns: Columns) -> list[Sample]:
    """All samples (N > 0), in their order.

    Raises:
        SampleError: a value is none that the service takes (NaN, a wrong type), two samples have
            one id, a named column is not there, or there are no samples; with rows and columns.
        TypeError: the samples are of no kind that is known.
    """
    known = column_names(samples)
    if known is not None:
        _check_columns(columns, known)
    names = columns.names()
    found: list[Sample] = []
    faults: list[Fault] = []
    rows: dict[str, int] = {}
    seen: set[str] = set()
    demanded = columns.demanded()
    fields = [_Field(name, name, column, READERS[name]) for name, column in names.items()]
    extras = [_Field(name, f"extras/{name}", name, read_number) for name in columns.extras]
    for row, values in enumerate(rows_of(samples, [*names.values(), *columns.extras])):
        seen.update(name for name in demanded if name in values)
        sample = _read(row, values, fields, extras, faults)
        if sample.id is not None and rows.setdefault(sample.id, row) != row:
            message = f"is the id of row {rows[sample.id]} too"
            faults.append(Fault(f"/samples/{row}/id", message, row, names["id"]))
        if len(faults) >= FAULTS_MAX:
            break
        found.append(sample)
    if faults:
        raise SampleError(faults[:FAULTS_MAX])
    if not found:
        raise SampleError([Fault("/samples", "are none: give at least one sample")])
    _check_columns(columns, seen)
    return found


def _check_columns(columns: Columns, known: Collection[str]) -> None:
    for name in columns.demanded():
        if name not in known:
            among = f"; the columns are {', '.join(known)}" if known else ""
            raise SampleError([Fault("", f"no sample has a column {name!r}{among}")])


@dataclass(frozen=True)
class _Field:
    """A field of a sample or of its extras, its path, the caller's column, and what reads it."""

    name: str
    path: str
    column: str
    read: Reader


def _read(
    row: int,
    values: Mapping[str, object],
    fields: Sequence[_Field],
    extras: Sequence[_Field],
    faults: list[Fault],
) -> Sample:
    """One sample; what is wrong with it is added to the faults."""
    given = _given(row, values, fields, faults)
    if extras:
        given["extras"] = given.get("extras", {}) | _given(row, values, extras, faults)
    texts = [given[name] for name in ("query", "document", "text") if name in given]
    tokens = min(TOKENS_MAX, SPECIAL_TOKENS + sum(map(_tokens_of, texts)))
    return Sample(encoded(given).encode(), tokens, given.get("id"), given.get("group"))


def _given(
    row: int, values: Mapping[str, object], fields: Sequence[_Field], faults: list[Fault]
) -> dict[str, Any]:
    """The fields that have a value."""
    given: dict[str, Any] = {}
    for field in fields:
        value = values.get(field.column)
        if value is None:
            continue
        try:
            read = field.read(value)
        except ValueError as error:
            faults.append(Fault(f"/samples/{row}/{field.path}", str(error), row, field.column))
            continue
        if read is not None:
            given[field.name] = read
    return given


def _tokens_of(text: str) -> int:
    """An estimate: a token for four letters of ASCII, or for one character of other scripts."""
    if text.isascii():
        return len(text) // CHARACTERS_A_TOKEN + 1
    return len(text)
