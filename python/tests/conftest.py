"""What the tests of several folders need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service import ROOT, Service, Start

CLI = ROOT / "dist" / "cli.js"
START_S = 60.0

# Read when torch is imported. The models are tiny: more threads only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def with_gradients(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """Makes and exports a checkpoint with its gradient graphs, once a family and number of logits.

    The model folder lies alone in its parent, as a service needs it.
    """
    from assay.export.folder import Options, export_folder
    from checkpoints import make_checkpoint

    made: dict[tuple[str, int], Path] = {}

    def export(family: str, classes: int) -> Path:
        if (family, classes) not in made:
            holder = tmp_path_factory.mktemp(f"{family}-{classes}")
            source = make_checkpoint(holder / "checkpoint", family, classes)
            made[family, classes] = holder / "models" / "tiny"
            export_folder(source, made[family, classes], Options("tiny", weights="int8"))
        return made[family, classes]

    return export


@pytest.fixture(scope="session")
def node() -> str:
    """Node, where there is a compiled service for it."""
    found = shutil.which("node")
    if found is None or not CLI.exists():
        why = "node is not installed" if found is None else "dist/ is missing: npm run build"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.fixture(scope="session")
def start_service(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts services that end with the tests, each on a model folder."""
    with ExitStack() as stack:

        def start(model: Path) -> Service:
            own = {name: v for name, v in os.environ.items() if not name.startswith("ASSAY_")}
            settings = {
                "ASSAY_PORT": "0",
                "ASSAY_DATA_DIR": str(tmp_path_factory.mktemp("data")),
                "ASSAY_MODELS_DIR": str(model.parent),
                "ASSAY_DEFAULT_MODEL": model.name,
            }
            process = subprocess.Popen(
                [node, str(CLI), "serve"],
                env={**own, **settings},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.callback(_end, process)
            return Service(_await_ready(process), process.pid)

        yield start


@pytest.fixture(scope="session")
def shipped_service(start_service: Start, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service of the shipped model, for all tests. The model `pushed` is there to be replaced."""
    models = tmp_path_factory.mktemp("models")
    for name in ("default", "pushed"):
        shutil.copytree(ROOT / "models" / "default", models / name)
    return start_service(models / "default")


def _await_ready(process: subprocess.Popen[str]) -> str:
    """The service's URL once its model is ready; raises with its output where it is not in time."""
    printed: list[str] = []
    assert process.stdout is not None
    # Read to the end: a full pipe would stop the service.
    threading.Thread(target=printed.extend, args=(process.stdout,), daemon=True).start()
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        output = "".join(printed)
        listens = re.search(r"^Assay listens on (\S+),", output, re.MULTILINE)
        if listens and re.search(r"^Model \S+ is ready", output, re.MULTILINE):
            return listens[1]
        time.sleep(0.05)
    raise AssertionError("the service did not get ready; it printed:\n" + "".join(printed))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
