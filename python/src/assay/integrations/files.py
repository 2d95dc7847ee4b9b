"""Weights in files and columns, for trainers that read them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.client import Client
from assay.integrations.of_snapshots import multipliers

FALLBACK = b"assay.fallback_weight"  # in the file's metadata


def write_weights(
    path: str | PathLike[str],
    keys: Iterable[str | int],
    weights: Iterable[float],
    *,
    fallback: float = 1.0,
) -> None:
    """Writes a Parquet file of weights: one row a sample, with the weight of absent ones beside it.

    `keys` are ids (a column `id`), or the numbers of rows (a column `index`, as lerobot reads it).
    The other column is `weight`, ≥ 0, in float32. Trainers of this contract scale the weights of
    each batch to sum to its size.

    Raises:
        ValueError: a weight is negative or not finite, or a key comes twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(keys)
    values = _checked(weights, fallback)
    if len(names) != len(values):
        raise ValueError(f"{len(names)} keys for {len(values)} weights")
    if len(set(names)) != len(names):
        raise ValueError("a key comes twice: give each sample one weight")
    of_rows = all(isinstance(name, (int, np.integer)) for name in names)
    column = pa.array(
        [int(name) if of_rows else str(name) for name in names],
        pa.int64() if of_rows else pa.string(),
    )
    table = pa.table(
        {"index" if of_rows else "id": column, "weight": pa.array(values, pa.float32())},
        metadata={FALLBACK: repr(float(fallback)).encode()},
    )
    pq.write_table(table, path)


def read_weights(
    path: str | PathLike[str], keys: Iterable[str | int], fallback: float | None = None
) -> npt.NDArray[np.float64]:
    """The weights of keys (N) in a file that `write_weights` wrote; absent ones get the fallback.

    By default that is the file's own; 1.0 in a file that names none.

    Raises:
        ValueError: the file has no column `weight`, or neither `id` nor `index`.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    named = [name for name in ("id", "index") if name in table.column_names]
    if not named or "weight" not in table.column_names:
        raise ValueError(f"{path} has the columns {table.column_names}: it needs id and weight")
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    absent = float(metadata.get(FALLBACK, b"1.0")) if fallback is None else fallback
    found = zip(table[named[0]].to_pylist(), table["weight"].to_pylist(), strict=True)
    known = {str(key): weight for key, weight in found}
    return _checked((known.get(str(key), absent) for key in keys), absent)


def add_weights(
    rows: Any,
    client: Client,
    *,
    dataset: str,
    ids: str = "id",
    column: str = "weight",
    snapshot: int | None = None,
    fallback: float | None = None,
) -> Any:
    """A Hugging Face dataset with a column of `multipliers` by a dataset of the service.

    Name the column as your trainer reads it, and tell it to keep it
    (`remove_unused_columns=False`).

    Raises:
        UnknownIdError: an id has no weight, and there is no fallback.
        ValueError: the column is there already, or the weights are draw probabilities.
    """
    if column in rows.column_names:
        raise ValueError(f"the dataset has a column {column!r}: name another")
    found = multipliers(
        client, list(rows[ids]), dataset=dataset, snapshot=snapshot, fallback=fallback
    )
    return rows.add_column(column, found)


def _checked(weights: Iterable[float], fallback: float) -> npt.NDArray[np.float64]:
    values = np.array([float(weight) for weight in weights], dtype=np.float64)
    for value in (values, np.array(fallback)):
        if not np.all(np.isfinite(value)) or np.any(value < 0):
            raise ValueError("a weight is negative or not finite: weights are at least 0")
    return values
