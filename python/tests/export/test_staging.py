"""A killed export leaves nothing that stays, and none takes the folder of one that lives."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from assay.export.folder import Options, export_folder
from assay.export.staging import PREFIX, remove_abandoned, staging_beside
from assay.export.upload import UploadOptions, export_weights
from checkpoints import Export, make_checkpoint

KILLED = """
import os, signal, sys
from pathlib import Path
from assay.export.staging import OLD, staging_beside

out = Path(sys.argv[1])
with staging_beside(out) as holder:
    (holder / "new").mkdir()
    if out.exists():
        out.rename(holder / OLD)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def staging_folders(parent: Path) -> list[Path]:
    return list(parent.glob(f"{PREFIX}*"))


def kill_while_staging(out: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, out], check=False)
    assert ended.returncode == -signal.SIGKILL


def kill_in_check(command: list[str]) -> None:
    """Runs a command until it checks forward.onnx, and kills it there."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if "running forward.onnx" in line:
                running.kill()
                break


def test_an_export_that_is_killed_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "checkpoint", "bert")
    command = [sys.executable, "-m", "assay.export", "folder", str(source)]
    command.append(str(tmp_path / "killed"))
    kill_in_check(command)
    [left] = staging_folders(tmp_path)
    assert (left / "new" / "weights.bin").exists()
    export_folder(source, tmp_path / "model", Options("tiny", gradient_graphs=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "model"]


def test_an_upload_whose_writing_is_killed_is_cleaned_up_by_the_next(
    exported: Export, tmp_path: Path
) -> None:
    source, folder = exported("bert", 1, "fp32")
    command = [sys.executable, "-m", "assay.export", "weights", str(source), str(folder)]
    command += ["--check", "fast", "-o", str(tmp_path / "killed")]
    kill_in_check(command)
    [left] = staging_folders(tmp_path)
    assert (left / "weights.bin").exists()
    export_weights(source, folder, tmp_path / "upload", UploadOptions(check="fast"))
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]


def test_a_folder_that_was_taken_away_to_be_replaced_is_put_back(tmp_path: Path) -> None:
    out = tmp_path / "model"
    out.mkdir()
    (out / "model.json").write_text("{}")
    kill_while_staging(out)
    assert not out.exists()
    remove_abandoned(tmp_path)
    assert (out / "model.json").read_text() == "{}"
    assert staging_folders(tmp_path) == []


def test_what_replaced_a_folder_is_not_put_back_over(tmp_path: Path) -> None:
    out = tmp_path / "model"
    out.mkdir()
    kill_while_staging(out)
    out.mkdir()
    (out / "newer").touch()
    remove_abandoned(tmp_path)
    assert (out / "newer").exists()
    assert staging_folders(tmp_path) == []


def test_the_folder_of_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    with staging_beside(tmp_path / "model") as holder:
        remove_abandoned(tmp_path)
        assert holder.exists()
        command = "import sys; from pathlib import Path; from assay.export.staging import *; "
        command += "remove_abandoned(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", command, tmp_path], check=True)
        assert holder.exists()
    assert staging_folders(tmp_path) == []


def test_a_folder_killed_before_its_lock_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}empty").mkdir()
    remove_abandoned(tmp_path)
    assert staging_folders(tmp_path) == []


def test_two_runs_that_clean_and_stage_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    work = (
        "import sys; from pathlib import Path; from assay.export.staging import *\n"
        "for _ in range(200):\n"
        "    remove_abandoned(Path(sys.argv[1]))\n"
        "    with staging_beside(Path(sys.argv[1]) / 'model') as holder:\n"
        "        (holder / 'kept').touch()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", work, tmp_path]) for _ in range(3)]
    assert [each.wait() for each in running] == [0, 0, 0]
    assert staging_folders(tmp_path) == []
