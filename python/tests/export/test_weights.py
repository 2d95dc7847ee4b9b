"""The parameter table of the manifest against the checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from transformers import AutoModelForSequenceClassification

from assay.export.weights import quantise
from checkpoints import FAMILIES, Export


def read(folder: Path) -> dict[str, Any]:
    """Reads weights.bin by the manifest alone, as another program would."""
    manifest = json.loads((folder / "model.json").read_text())
    content = (folder / "weights.bin").read_bytes()
    values = {}
    for entry in manifest["parameters"]:
        kind, width = ("<f4", 4) if entry["dtype"] == "float32" else ("i1", 1)
        count = entry["length"] // width
        value = np.frombuffer(content, kind, count, entry["offset"]).astype(np.float32)
        shape = entry["shape"]
        if entry["layout"] == "transposed":
            value = value.reshape(shape[::-1]).T
        value = value.reshape(shape)
        if entry["scale"] is not None:
            assert entry["scale"]["axis"] == 0
            rows = entry["scale"]["length"] // 4
            value = value * np.frombuffer(content, "<f4", rows, entry["scale"]["offset"])[:, None]
        values[entry["name"]] = value
    return values


def state(source: Path) -> dict[str, Any]:
    model = AutoModelForSequenceClassification.from_pretrained(source)
    return {name: value.detach().numpy() for name, value in model.named_parameters()}


@pytest.mark.parametrize("family", FAMILIES)
def test_float_weights_reproduce_the_checkpoint_to_the_bit(exported: Export, family: str) -> None:
    source, folder = exported(family, 3, "fp32")
    stored, expected = read(folder), state(source)
    assert stored.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(stored[name], value, err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_int8_weights_are_within_half_a_step_of_the_checkpoint(
    exported: Export, family: str
) -> None:
    source, folder = exported(family, 3, "int8")
    stored, expected = read(folder), state(source)
    manifest = json.loads((folder / "model.json").read_text())
    quantised = {entry["name"] for entry in manifest["parameters"] if entry["dtype"] == "int8"}
    assert any(part in name for name in quantised for part in ("query", "q_lin", "Wqkv"))
    assert any(part in name for name in quantised for part in ("word_emb", "tok_emb"))
    assert manifest["head"]["weight"] not in quantised
    for name, value in expected.items():
        step = np.abs(value).max(axis=-1, keepdims=True) / 127 if name in quantised else 0
        assert np.all(np.abs(stored[name] - value) <= step * 0.501), name


@given(arrays(np.float32, (3, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_quantising_is_symmetric_and_never_leaves_its_range(value: Any) -> None:
    levels, scales = quantise(value)
    assert levels.min() >= -127
    assert np.all(scales > 0)
    mirrored, same = quantise(-value)
    np.testing.assert_array_equal(mirrored, -levels)
    np.testing.assert_array_equal(same, scales)
