"""How much memory an export will take and how much there is, told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.export.errors import ExportError

GIGABYTE = 1e9


@dataclass(frozen=True)
class Less:
    """What needs fewer bytes: `how` says it, such as "--option leaves this out"."""

    how: str
    needed: int


def check_memory(needed: int, less: Less | None, root: Path = Path("/")) -> None:
    """Refuses an export that needs more bytes than there are, and says what would need less.

    Raises:
        ExportError: says how much is needed, how much there is, and what to do.
    """
    available = available_memory(root)
    if available is None or needed <= available:
        return
    hint = f" {less.how} and takes about {_words(less.needed)}." if less is not None else ""
    raise ExportError(
        f"this export takes about {_words(needed)} of memory, and {_words(available)} are free. "
        f"Free some, raise the container's limit, or export on a machine with more.{hint}"
    )


def available_memory(root: Path = Path("/")) -> int | None:
    """The bytes that this process may still take: of the machine and of its control groups.

    The least of them; None where the system tells neither.
    """
    known = [_machine(root / "proc/meminfo"), *_groups(root)]
    return min((value for value in known if value is not None), default=None)


@dataclass(frozen=True)
class _Group:
    """The names of a control group's files, and of what its usage counts that can be dropped."""

    limit: str
    usage: str
    dropped: tuple[str, ...]


_VERSION_1 = _Group(
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    ("total_active_file", "total_inactive_file"),
)
_VERSION_2 = _Group("memory.max", "memory.current", ("active_file", "inactive_file"))


def _machine(file: Path) -> int | None:
    values = _read_table(file)
    return values["MemAvailable:"] * 1024 if "MemAvailable:" in values else None


def _groups(root: Path) -> list[int | None]:
    """What each control group of the process leaves, from its own up to the mount's."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if controllers == "":
            kind = _VERSION_2
        elif "memory" in controllers.split(","):
            mount, kind = mount / "memory", _VERSION_1
        else:
            continue
        folder = mount / path.lstrip("/")
        # In a container the path may be the host's, which is not there: the mount itself is.
        for group in (folder, *folder.parents):
            found.append(_left(group, kind))
            if group == mount:
                break
    return found


def _left(folder: Path, group: _Group) -> int | None:
    try:
        limit = int((folder / group.limit).read_text())  # "max" is none
        usage = int((folder / group.usage).read_text())
    except (OSError, ValueError):
        return None
    values = _read_table(folder / "memory.stat")
    return limit - usage + sum(values.get(name, 0) for name in group.dropped)


def _read_table(file: Path) -> dict[str, int]:
    """The lines of a file, each a name and a number."""
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _words(size: int) -> str:
    return f"{size / GIGABYTE:.1f} GB"
