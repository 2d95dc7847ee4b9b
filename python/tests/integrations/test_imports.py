"""What is imported when: torch and its kin only by the names that need them."""

from __future__ import annotations

import os
import subprocess
import sys

import assay.integrations
from service import ROOT

HEAVY = {"torch", "transformers", "sentence_transformers", "accelerate", "pyarrow", "datasets"}


def imported(code: str) -> set[str]:
    """The heavy packages that are there after some code, in a process of its own."""
    told = f"import sys\n{code}\nprint(*{HEAVY!r} & {{*sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", told],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python" / "src")},
    )
    return set(ran.stdout.split())


def test_nothing_heavy_comes_with_the_client_or_with_files() -> None:
    code = "import assay, assay.integrations\nfrom assay.integrations import write_weights, linear"
    assert imported(code) == set()


def test_a_loop_of_pytorch_needs_torch_alone() -> None:
    code = "from assay.integrations import ImportanceSampler, WeightedDataset, weighted_mean"
    assert imported(code) == {"torch"}


def test_every_public_name_is_there() -> None:
    for name in assay.integrations.__all__:
        assert getattr(assay.integrations, name) is not None
    assert not hasattr(assay.integrations, "no_such_name")
