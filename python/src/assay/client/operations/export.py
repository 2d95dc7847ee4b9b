"""A whole dataset as a stream: to a file, or into a table."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal
from uuid import uuid4

from assay.client.call import Call, Plan, Reply
from assay.client.errors import AssayError
from assay.client.paths import dataset_path

Format = Literal["ndjson", "csv", "arrow", "parquet"]
Target = str | PathLike[str] | BinaryIO
ENDINGS: Mapping[str, Format] = {
    ".ndjson": "ndjson",
    ".csv": "csv",
    ".arrows": "arrow",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class Export:
    """What was written. `snapshot` is the version of the weights, None if there are none."""

    format: Format
    bytes: int
    snapshot: int | None


def export(
    dataset: str, target: Target, format: Format | None, snapshot: int | None
) -> Plan[Export]:
    """Writes a dataset to a path, or to an open binary file, as it comes.

    A path gets its file once the export is complete. An open file that cannot be rewound keeps what
    came before an export that broke.

    Raises:
        ValueError: there is no format, and the path's ending names none.
    """
    if isinstance(target, (str, PathLike)):
        path = Path(target)
        format = format or _format_of(path)
        # Beside the file, because a rename does not cross file systems.
        draft = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
        try:
            with draft.open("xb") as file:
                found = yield from _export(dataset, file, format, snapshot)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return found
    return (yield from _export(dataset, target, format or "ndjson", snapshot))


def export_table(dataset: str, snapshot: int | None) -> Plan[Any]:
    """A dataset as an Arrow table (pyarrow), in memory."""
    import pyarrow

    file = io.BytesIO()
    yield from _export(dataset, file, "arrow", snapshot)
    with pyarrow.ipc.open_stream(file.getbuffer()) as reader:
        return reader.read_all()


def _export(dataset: str, file: BinaryIO, format: Format, snapshot: int | None) -> Plan[Export]:
    sink = FileSink(file)
    query = {"format": format} | ({} if snapshot is None else {"snapshot": str(snapshot)})
    reply: Reply
    [reply] = yield [Call("GET", f"{dataset_path(dataset)}/export", query, sink=sink)]
    version = reply.headers.get("assay-snapshot")
    return Export(format, sink.bytes, None if version is None else int(version))


class FileSink:
    """Writes an answer to an open file, from where the file is. A try that broke is overwritten."""

    def __init__(self, file: BinaryIO) -> None:
        self.bytes = 0
        self._file = file
        self._start = file.tell() if file.seekable() else None

    def begin(self) -> None:
        """Raises AssayError where the file has bytes of a broken try and cannot be rewound."""
        if self.bytes == 0:
            return
        if self._start is None:
            raise AssayError(
                "unreachable",
                f"the export broke after {self.bytes} bytes, and the file cannot be rewound: "
                "export to a path",
            )
        self._file.seek(self._start)
        self._file.truncate()
        self.bytes = 0

    def write(self, part: bytes) -> None:
        """Writes a part."""
        self._file.write(part)
        self.bytes += len(part)


def _format_of(path: Path) -> Format:
    if path.suffix not in ENDINGS:
        raise ValueError(
            f"{path.name} does not say the format: end it in {', '.join(ENDINGS)}, or give format="
        )
    return ENDINGS[path.suffix]
