"""What an export needs is held against what the machine and its control groups leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.export.errors import ExportError
from assay.export.memory import Less, available_memory, check_memory

GIGABYTE = 10**9


def machine(root: Path, available: int, groups: str = "", **files: str) -> Path:
    """A root with /proc and /sys as Linux shows them; `files` are of the mounted control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(
        f"MemTotal:       99999999 kB\nMemAvailable:   {available // 1024} kB\n"
    )
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_without_a_limit_it_is_what_the_machine_has_available(tmp_path: Path) -> None:
    root = machine(tmp_path, 8 * 2**30, "0::/\n", **{"memory.stat": "anon 1\n"})
    assert available_memory(root) == 8 * 2**30


def test_a_container_has_what_its_limit_leaves_and_files_count_as_free(tmp_path: Path) -> None:
    files = {
        "memory.max": f"{4 * 2**30}\n",
        "memory.current": f"{3 * 2**30}\n",
        "memory.stat": f"anon {2**30}\nactive_file {2**29}\ninactive_file {2**30}\n",
    }
    root = machine(tmp_path, 8 * 2**30, "0::/\n", **files)
    assert available_memory(root) == 2**30 + 2**29 + 2**30


def test_the_group_above_may_be_the_narrower_one(tmp_path: Path) -> None:
    files = {
        "a/b/memory.max": "max\n",
        "a/b/memory.current": "5\n",
        "a/memory.max": "1000\n",
        "a/memory.current": "400\n",
    }
    root = machine(tmp_path, 8 * 2**30, "0::/a/b\n", **files)
    assert available_memory(root) == 600


def test_version_1_of_control_groups_is_read_where_the_host_s_path_is_not_there(
    tmp_path: Path,
) -> None:
    files = {
        "memory/memory.limit_in_bytes": f"{2**30}\n",
        "memory/memory.usage_in_bytes": f"{2**29}\n",
        "memory/memory.stat": f"total_inactive_file {2**20}\ntotal_active_file {2**20}\n",
    }
    groups = "5:cpu:/docker/1\n4:memory:/docker/1\n0::/docker/1\n"
    root = machine(tmp_path, 8 * 2**30, groups, **files)
    assert available_memory(root) == 2**29 + 2**21


def test_a_system_that_tells_nothing_refuses_nothing(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None
    check_memory(10**15, None, tmp_path)


def test_the_machine_that_runs_this_tells_something() -> None:
    available = available_memory()
    assert available is not None
    assert available > 10**8


def test_what_does_not_fit_is_refused_with_both_figures_and_what_to_do(tmp_path: Path) -> None:
    root = machine(tmp_path, 3 * GIGABYTE)
    with pytest.raises(ExportError) as error:
        check_memory(4_100_000_000, Less("--option leaves this out", 2_400_000_000), root)
    assert str(error.value) == (
        "this export takes about 4.1 GB of memory, and 3.0 GB are free. Free some, raise the "
        "container's limit, or export on a machine with more. "
        "--option leaves this out and takes about 2.4 GB."
    )
    with pytest.raises(ExportError) as error:
        check_memory(4_100_000_000, None, root)
    assert str(error.value).endswith("on a machine with more.")
    check_memory(2_900_000_000, None, root)
