"""ONNX Runtime writes and sends nothing about a run once `assay` is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHIPPED = Path(__file__).parents[3] / "models" / "default"


@pytest.mark.parametrize(
    "load",
    [
        "from assay.export.texts import Text;"
        "from assay.learned.folder import read_folder, read_features;"
        "read_features(read_folder(Path(sys.argv[1])), [Text('usb cable')])",
        "from assay.export.sessions import run_graph;"
        "list(run_graph(Path(sys.argv[1]) / 'norms.onnx', ['gram'], []))",
    ],
)
def test_sessions_leave_no_trace(load: str, tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    environment |= {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(
        [sys.executable, "-c", f"import sys; from pathlib import Path; {load}", str(SHIPPED)],
        env=environment,
        check=True,
    )
    made = [path for folder in (home, temporary) for path in folder.rglob("*")]
    assert made == []
