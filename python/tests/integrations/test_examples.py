"""The examples of trainings, run as they are against the service."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from assay import Client
from assay.integrations import read_weights
from service import ROOT, Service

EXAMPLES = ROOT / "examples"
PAIRS = ROOT / "test" / "fixtures" / "pairs.jsonl"
Run = Callable[..., str]


@pytest.fixture
def run_example(
    tmp_path: Path,
    tiny_service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs an example on the first pairs, and gives what it printed."""
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(PAIRS.read_text("utf-8").splitlines(keepends=True)[:48]), "utf-8")
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def run(name: str, *arguments: str) -> str:
        path = str(EXAMPLES / name)
        given = [path, str(data), "--url", tiny_service.url, "--out", str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", [*given, *arguments])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    return run


def lines_of(name: str) -> list[str]:
    """The lines of an example behind its docstring."""
    return (EXAMPLES / name).read_text("utf-8").split('"""\n')[-1].splitlines()


def test_a_reranker_is_trained_with_two_imports_and_two_statements_more(
    run_example: Run, tiny_client: Client
) -> None:
    printed = run_example("finetune_reranker.py", "--dataset", "example", "--epochs", "2")
    assert "of 48 pairs are right" in printed
    assert printed.count("assay/tau") == 2
    assert tiny_client.dataset("example").samples == 48
    plain, weighted = (lines_of(f"finetune_reranker{which}.py") for which in ("_plain", ""))
    added = [line for line in weighted if line.strip() and line not in plain]
    assert len(added) == 5  # The fifth is the training set, whose ids are left in.
    assert all(len(line) <= 100 for line in added)


def test_the_plain_script_runs_too(run_example: Run) -> None:
    assert "of 48 pairs are right" in run_example("finetune_reranker_plain.py", "--epochs", "1")


def test_a_trainer_of_hugging_face_is_trained(run_example: Run, tiny_client: Client) -> None:
    printed = run_example("trainer.py", "--dataset", "example-trainer", "--epochs", "1")
    assert "trained on 48 pairs" in printed
    assert tiny_client.dataset("example-trainer").samples == 48


def test_scikit_learn_takes_the_weights_and_a_file_keeps_them(
    run_example: Run, tiny_client: Client, tmp_path: Path
) -> None:
    printed = run_example("sklearn_weights.py", "--dataset", "example-sklearn")
    assert "48 weights of mean 1.000 are in" in printed
    expected = 48 * tiny_client.weights(["q01:p1", "q08:p6"], dataset="example-sklearn")
    found = read_weights(tmp_path / "out", ["q01:p1", "q08:p6"])
    assert found == pytest.approx(list(expected), rel=1e-6)
