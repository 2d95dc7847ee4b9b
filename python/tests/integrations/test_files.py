"""Weights in Parquet files and in columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay import Client
from assay.client import AssayError, UnknownIdError
from assay.integrations import add_weights, multipliers, read_weights, write_weights
from tiny_pairs import read_pairs

Weigh = Callable[[str, list[str]], int]


def test_a_file_of_rows_has_the_columns_that_lerobot_reads(tmp_path: Path) -> None:
    path = tmp_path / "weights.parquet"
    write_weights(path, range(3), [0.5, 0.0, 2.5])
    table = pq.read_table(path)
    assert table.to_pydict() == {"index": [0, 1, 2], "weight": [0.5, 0.0, 2.5]}
    assert table.schema.field("index").type == pa.int64()
    # As lerobot reads it: frame["index"] as int, and 1.0 for a frame that is not there.
    lookup = {int(row["index"]): float(row["weight"]) for _, row in table.to_pandas().iterrows()}
    assert [lookup.get(index, 1.0) for index in (2, 0, 9)] == [2.5, 0.5, 1.0]


def test_a_file_of_ids_is_read_in_any_order_and_absent_ids_get_its_fallback(tmp_path: Path) -> None:
    path = tmp_path / "weights.parquet"
    write_weights(path, ["q1:p1", "q1:p2"], np.array([0.25, 4.0]), fallback=0.75)
    assert read_weights(path, ["q1:p2", "new", "q1:p1"]).tolist() == [4.0, 0.75, 0.25]
    assert read_weights(path, ["new"], fallback=0.0).tolist() == [0.0]


@pytest.mark.parametrize(
    ("keys", "weights", "said"),
    [
        (["a"], [-0.1], "negative or not finite"),
        (["a"], [float("nan")], "negative or not finite"),
        (["a", "a"], [1, 1], "a key comes twice"),
        (["a"], [1, 1], "1 keys for 2 weights"),
    ],
)
def test_what_is_no_file_of_weights_is_not_written(
    tmp_path: Path, keys: list[str], weights: list[float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        write_weights(tmp_path / "weights.parquet", keys, weights)
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_refused_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"key": ["a"], "weight": [1.0]}), path)
    with pytest.raises(ValueError, match="it needs id and weight"):
        read_weights(path, ["a"])


def test_a_dataset_gets_a_column_of_the_services_weights(
    tiny_client: Client, weigh_rows: Weigh
) -> None:
    rows = read_pairs(6)
    weigh_rows("column", rows["id"][:5])
    with pytest.raises(UnknownIdError):
        add_weights(rows, tiny_client, dataset="column")
    found = add_weights(rows, tiny_client, dataset="column", column="w", fallback=0.5)
    assert found["w"][5] == 0.5
    # The snapshot's weights sum to 1: as multipliers, their mean is 1.
    expected = tiny_client.weights(rows["id"][:5], dataset="column") * 5
    assert found["w"][:5] == pytest.approx(list(expected))
    assert np.mean(found["w"][:5]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="has a column 'label'"):
        add_weights(rows, tiny_client, dataset="column", column="label")


def test_multipliers_are_mean_1_weights_of_the_snapshot_that_is_named(
    tiny_client: Client, weigh_rows: Weigh
) -> None:
    ids = [f"row {row}" for row in range(8)]
    sums = weigh_rows("mean", ids)
    means = tiny_client.weigh("mean", signal="loss", smoothing=0.2, normalise="mean").version
    tiny_client.weigh("mean", signal="loss", scheme="rank")
    for version in (sums, means):
        found = multipliers(tiny_client, ids, dataset="mean", snapshot=version)
        assert found == pytest.approx(tiny_client.weights(ids, dataset="mean", snapshot=means))
    assert multipliers(tiny_client, ["new"], dataset="mean", fallback=0.25).tolist() == [0.25]


def test_draw_probabilities_are_no_multipliers(tiny_client: Client, weigh_rows: Weigh) -> None:
    rows = read_pairs(6)
    weigh_rows("drawn", rows["id"])
    tiny_client.weigh("drawn", signal="loss", smoothing=0.2, role="probability")
    with pytest.raises(ValueError, match="snapshot 2 of drawn has draw probabilities"):
        add_weights(rows, tiny_client, dataset="drawn")
    assert np.mean(multipliers(tiny_client, rows["id"], dataset="drawn", snapshot=1)) == (
        pytest.approx(1.0)
    )


def test_multipliers_of_a_dataset_without_weights_are_refused(tiny_client: Client) -> None:
    tiny_client.observe("unweighed", ["a"], [0.5], [1.0], checkpoint=("before", 0))
    with pytest.raises(AssayError, match="has no weights yet"):
        multipliers(tiny_client, ["a"], dataset="unweighed")
