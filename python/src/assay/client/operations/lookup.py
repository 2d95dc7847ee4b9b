"""Weights and signals by id."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from assay.client.answers.dataset import LookUpRow, Weighed
from assay.client.call import Call, Plan
from assay.client.decode import decode
from assay.client.errors import NAMED_MAX, AssayError, Fault, SampleError, UnknownIdError
from assay.client.paths import dataset_path
from assay.client.scores import LookUp
from assay.client.sending import Limits
from assay.client.table import as_array
from assay.client.values import plain, read_name

TRIES = 3  # look-ups of many ids that a new snapshot divides


def read_ids(ids: Iterable[object]) -> list[str]:
    """Ids (N) as text; they may be integers, or an array, a series or a tensor.

    Raises:
        SampleError: one is neither text nor an integer.
    """
    values = plain(ids)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError("ids are one value: pass several, in a list or an array")
    found: list[str] = []
    for row, value in enumerate(values):
        try:
            name = read_name(value)
        except ValueError as error:
            raise SampleError([Fault(f"/ids/{row}", str(error), row, "id")]) from error
        if name is None:
            raise SampleError([Fault(f"/ids/{row}", "is missing", row, "id")])
        found.append(name)
    return found


def look_up(
    ids: Iterable[object], dataset: str, snapshot: int | None, limits: Limits
) -> Plan[LookUp]:
    """Looks ids up, all in one snapshot.

    Raises:
        AssayError: there is no such dataset, or it was weighed again and again meanwhile.
    """
    names = read_ids(ids)
    if not names:
        return LookUp([], dataset, Weighed(None, None, None))
    for _ in range(TRIES):
        answers = yield [
            _call(names[at : at + limits.ids], dataset, snapshot)
            for at in range(0, len(names), limits.ids)
        ]
        if len({answer["snapshot"] for answer in answers}) == 1:
            rows = [cast(LookUpRow | None, row) for a in answers for row in a["results"]]
            return LookUp(rows, dataset, decode(Weighed, answers[0]))
    raise AssayError(
        "snapshot_changed",
        f"{dataset} was weighed again during each of {TRIES} look-ups of {len(names)} ids: look up "
        "when it is not being weighed",
    )


def weights(
    ids: Iterable[object],
    dataset: str,
    snapshot: int | None,
    fallback: float | None,
    limits: Limits,
) -> Plan[Any]:
    """The weight of each id (N) in a snapshot; `fallback` where there is none.

    Raises:
        UnknownIdError: an id has no weight, and there is no fallback.
        AssayError: the dataset does not exist, or was never weighed (`no_weights`).
    """
    names = read_ids(ids)
    found = yield from look_up(names, dataset, snapshot, limits)
    if len(found) > 0 and found.snapshot is None:
        raise AssayError("no_weights", f"{dataset} has no weights yet: call weigh({dataset!r})")
    values = found.column("weight") if "weight" in found.columns else [None] * len(found)
    if fallback is not None:
        return as_array([float(fallback) if value is None else value for value in values])
    lacking = [name for name, w in zip(names, values, strict=True) if w is None]
    if lacking:
        named = ", ".join(map(repr, lacking[:NAMED_MAX]))
        more = f" and {len(lacking) - NAMED_MAX} more" if len(lacking) > NAMED_MAX else ""
        raise UnknownIdError(
            f"snapshot {found.snapshot} of {dataset} has no weight of {named}{more}: score them "
            "and weigh again, or pass a fallback",
            lacking,
        )
    return as_array(values)


def _call(ids: list[str], dataset: str, snapshot: int | None) -> Call:
    fields = {"ids": ids} if snapshot is None else {"ids": ids, "snapshot": snapshot}
    body = json.dumps(fields, ensure_ascii=False).encode()
    return Call("POST", f"{dataset_path(dataset)}/lookup", content=lambda: body)
