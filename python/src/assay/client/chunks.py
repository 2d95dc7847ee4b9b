"""Samples divided into requests: within the service's limits, with groups whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assay.client.errors import AssayError, Fault
from assay.client.samples import Sample
from assay.client.sending import Limits

HEAD_BYTES = 64 * 1024  # left in a body for what is not samples


class Names(Protocol):
    """The caller's names of what the service calls otherwise."""

    def column_of(self, pointer: str) -> str:
        """The caller's name of a place in a sample."""


@dataclass(frozen=True)
class Chunk:
    """The samples of one request. `rows` are the caller's, in the order of the request."""

    rows: tuple[int, ...]
    samples: tuple[Sample, ...]
    columns: Names

    def joined(self, separator: bytes) -> bytes:
        """The samples as JSON, one after another."""
        return separator.join(sample.json for sample in self.samples)

    def place(self, fault: Fault) -> Fault:
        """A fault of the request, at the caller's row and column."""
        parts = fault.path.split("/", 3)  # "", "samples", index, field
        if len(parts) < 3 or not parts[2].isdecimal() or int(parts[2]) >= len(self.rows):
            return fault
        row = self.rows[int(parts[2])]
        if len(parts) == 3:
            return Fault(f"/samples/{row}", fault.message, row)
        field = self.columns.column_of(parts[3])
        return Fault(f"/samples/{row}/{parts[3]}", fault.message, row, field)


def make_chunks(samples: Sequence[Sample], columns: Names, limits: Limits) -> list[Chunk]:
    """Divides samples (N); those of a group come together, at the place of its first sample.

    Raises:
        AssayError: a group is larger than a request may be.
    """
    chunks: list[list[int]] = []
    room = _Room(limits)
    for unit in _units(samples):
        rows = [samples[row] for row in unit]
        if not chunks or not room.takes(rows):
            chunks.append([])
            room = _Room(limits)
            _check_fits(unit, samples, limits)
        room.add(rows)
        chunks[-1] += unit
    return [_chunk(rows, samples, columns) for rows in chunks]


def make_one_chunk(samples: Sequence[Sample], columns: Names, limits: Limits) -> Chunk | None:
    """All samples as one request, of any number of tokens; None if they do not fit."""
    everything = range(len(samples))
    if len(samples) > limits.samples or _bytes_of(samples) > limits.body_bytes - HEAD_BYTES:
        return None
    return _chunk(everything, samples, columns)


def in_groups(samples: Sequence[Sample], columns: Names) -> Chunk:
    """All samples, those of a group one after another, as a stream needs them."""
    return _chunk([row for unit in _units(samples) for row in unit], samples, columns)


def _chunk(rows: Sequence[int], samples: Sequence[Sample], columns: Names) -> Chunk:
    return Chunk(tuple(rows), tuple(samples[row] for row in rows), columns)


def _units(samples: Sequence[Sample]) -> list[list[int]]:
    """Rows that may not be divided: each group, and each sample without one."""
    units: dict[object, list[int]] = {}
    for row, sample in enumerate(samples):
        units.setdefault(row if sample.group is None else sample.group, []).append(row)
    return list(units.values())


class _Room:
    """What one request still has room for. Every first unit fits: it may be larger in tokens."""

    def __init__(self, limits: Limits) -> None:
        self._samples = limits.samples
        self._bytes = limits.body_bytes - HEAD_BYTES
        self._tokens = limits.tokens

    def takes(self, samples: Sequence[Sample]) -> bool:
        return (
            len(samples) <= self._samples
            and _bytes_of(samples) <= self._bytes
            and sum(sample.tokens for sample in samples) <= self._tokens
        )

    def add(self, samples: Sequence[Sample]) -> None:
        self._samples -= len(samples)
        self._bytes -= _bytes_of(samples)
        self._tokens -= sum(sample.tokens for sample in samples)


def _bytes_of(samples: Sequence[Sample]) -> int:
    return sum(len(sample.json) + 1 for sample in samples)


def _check_fits(unit: Sequence[int], samples: Sequence[Sample], limits: Limits) -> None:
    size = _bytes_of([samples[row] for row in unit])
    if len(unit) <= limits.samples and size <= limits.body_bytes - HEAD_BYTES:
        return
    row = unit[0]
    group = samples[row].group
    what = "the sample" if group is None else f"group {group!r}, of {len(unit)} samples,"
    message = (
        f"{what} does not fit one request, which takes {limits.samples} samples and "
        f"{limits.body_bytes} bytes"
    )
    raise AssayError("too_large", f"row {row}: {message}", faults=[Fault("", message, row)])
