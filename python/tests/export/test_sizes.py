"""Exports of real sizes, in a process of their own: what they take, and what was foretold.

The sizes that people train run with ASSAY_TEST_LONG.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from real_sizes import SIZES, TOKENS, make_real_size, run_measured

from assay.export.estimate import memory_needed, sketch_checkpoint
from assay.export.gradients.scope import find_scope
from token_texts import LONG

SHORT = "4x384"
SECONDS_MAX = 300  # BERT-base on two cores


@pytest.mark.parametrize(
    ("size", "scope"),
    [*((size, "all") for size in SIZES), ("bert-base", "last:2")] if LONG else [(SHORT, "all")],
)
def test_memory_is_bounded_by_the_weights_and_was_foretold(
    size: str, scope: str, tmp_path: Path
) -> None:
    source = make_real_size(tmp_path / "checkpoint", size)
    out = tmp_path / "model"
    sketch = sketch_checkpoint(source)
    assert sketch is not None
    foretold = memory_needed(sketch, TOKENS, find_scope(sketch, scope))
    command = [sys.executable, "-m", "assay.export", "folder", str(source), str(out)]
    run = run_measured([*command, "--max-tokens", str(TOKENS), "--gradient-scope", scope])
    peak, seconds = run.peak_bytes, run.seconds
    print(f"{size} {scope}: {peak / 1e9:.2f} GB, foretold {foretold / 1e9:.2f} GB, {seconds:.0f} s")
    assert peak <= 6 * (out / "weights.bin").stat().st_size + 1.5e9
    assert peak <= foretold <= 1.5 * peak
    assert size != "bert-base" or run.seconds <= SECONDS_MAX
    gradients = json.loads((out / "model.json").read_text())["precision"]["gradients"]
    assert gradients["texts"] == 32
    for stage in ("loading", "tracing norms.onnx", "PyTorch's gradients", "running accumulate"):
        assert stage in run.printed


def test_an_export_that_cannot_fit_is_refused_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assay.export.__main__ import main

    monkeypatch.setattr("assay.export.memory.available_memory", lambda root: 10**8)
    source = make_real_size(tmp_path / "checkpoint", SHORT)
    before = sorted(tmp_path.iterdir())
    assert main(["folder", str(source), str(tmp_path / "model")]) == 1
    told = capsys.readouterr().err
    assert "of memory, and 0.1 GB are free" in told
    assert "--no-gradient-graphs" in told
    assert "loading the checkpoint" not in told
    assert sorted(tmp_path.iterdir()) == before
