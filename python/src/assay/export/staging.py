"""A folder to work in beside what is to be written, which the next run removes after a kill.

A process holds a lock on its folder while it lives, and the system frees the lock however the
process ends: a folder whose lock can be taken is abandoned.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = ".assay-export-"
LOCK = "lock"  # holds the name of what is to be written
OLD = "old"  # what that folder held, while a new one takes its place
log = logging.getLogger("assay.export")


@contextlib.contextmanager
def staging_beside(out: Path) -> Iterator[Path]:
    """An empty folder in the parent of `out`, removed at the end.

    The parent is made if it is missing, and rid of what killed runs left in it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(out.parent)
    holder, lock = _make_locked(out)
    try:
        yield holder
    finally:
        with contextlib.suppress(FileNotFoundError):  # emptied, it may be another run's to remove
            shutil.rmtree(holder)
        os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Removes the folders that killed runs left in `parent`.

    A run killed while it replaced a folder took that one away: it is put back.
    """
    for holder in sorted(parent.glob(f"{PREFIX}*")):
        try:
            lock = os.open(holder / LOCK, os.O_RDWR)
        except FileNotFoundError:
            with contextlib.suppress(OSError):
                holder.rmdir()  # killed before it made the lock; one that lives makes a new folder
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # it lives
        else:
            log.info("removing what a killed export left: %s", holder)
            _put_back(holder, parent / os.read(lock, 4096).decode())
            shutil.rmtree(holder, ignore_errors=True)
        finally:
            os.close(lock)


def _put_back(holder: Path, out: Path) -> None:
    if (holder / OLD).exists() and not out.exists():
        log.info("putting back %s, which it was about to replace", out)
        (holder / OLD).rename(out)


def _make_locked(out: Path) -> tuple[Path, int]:
    """A folder with its open lock; made again if another run took it for an abandoned one."""
    while True:
        holder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out.parent))
        try:
            lock = os.open(holder / LOCK, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if (holder / LOCK).exists():
            os.write(lock, out.name.encode())
            return holder, lock
        os.close(lock)
