"""The wheel: what is in it, and that it runs without this checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from service import ROOT, Service

PROGRAM = """
import json, sys
import assay
from assay import Client
with Client(sys.argv[1]) as client:
    [score] = client.score([{"text": "usb c cable", "label": 1}])
print(json.dumps({"file": assay.__file__, "loss": score["loss"]}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made as `pip install ./python` makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "-w", str(folder), str(ROOT / "python"))
    [made] = folder.glob("assay-*.whl")
    return made


def test_it_has_the_package_its_types_and_its_licence_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {
        str(path.relative_to(ROOT / "python" / "src"))
        for path in (ROOT / "python" / "src" / "assay").rglob("*.py")
    }
    assert {"assay/py.typed"} | modules == {name for name in names if name.startswith("assay/")}
    beside = {name.split("/", 1)[1] for name in names if not name.startswith("assay/")}
    assert {"METADATA", "licenses/LICENSE", "licenses/NOTICE"} <= beside
    assert all(".dist-info/" in name for name in names if not name.startswith("assay/"))


def test_it_scores_in_an_environment_that_has_only_it(
    wheel: Path, shipped_service: Service, tmp_path: Path
) -> None:
    target = tmp_path / "site"
    _pip("install", "--target", str(target), "--prefer-binary", str(wheel))
    # -I keeps this environment's variables out, -S its packages.
    program = f"import sys; sys.path.insert(0, {str(target)!r})\n{PROGRAM}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, shipped_service.url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert Path(answer["file"]).is_relative_to(target)
    assert answer["loss"] > 0
    assert not (target / "torch").exists()
    assert not (target / "numpy").exists()


def _pip(*arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [sys.executable, "-m", "pip", "-q", *arguments],
        env=environment,
        check=True,
        capture_output=True,
    )
