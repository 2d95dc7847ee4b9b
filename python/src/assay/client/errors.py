"""What goes wrong, as exceptions: what the service refuses, and what the client finds by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NAMED_MAX = 5  # ids or faults that a message names


@dataclass(frozen=True)
class Fault:
    """One fault of the input.

    `path` is a JSON pointer into the request as one request would hold all samples:
    `/samples/1203/label`. `row` counts the caller's samples from 0, and `field` is the caller's
    name of the column; both are None where the fault is of no sample.
    """

    path: str
    message: str
    row: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        if self.row is None:
            return f"{self.path} {self.message}".strip()
        place = f"row {self.row}" if self.field is None else f"row {self.row}, {self.field}:"
        return f"{place} {self.message}"


class AssayError(Exception):
    """A request that was refused, or could not be made.

    `code` is stable: programs may rely on it. It is one of the service's
    (`unsuitable_label`, `dataset_not_found`, ...), or of the client's: `unreachable`, `timed_out`,
    `unexpected_answer`, `invalid_sample`, `too_large`, `unknown_id`, `no_weights`, `not_one_batch`,
    `snapshot_changed`, `unsuitable_model`, `unsuitable_optimiser`, `weights_differ`. `status` is
    the HTTP status, None where no answer came.
    """

    def __init__(
        self, code: str, detail: str, *, status: int | None = None, faults: Sequence[Fault] = ()
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status
        self.faults = tuple(faults)

    def __str__(self) -> str:
        status = "" if self.status is None else f" ({self.status})"
        return f"{self.code}{status}: {self.detail}"


class SampleError(AssayError, ValueError):
    """Samples that cannot be sent; nothing was sent. `faults` name rows and columns."""

    def __init__(self, faults: Sequence[Fault], code: str = "invalid_sample") -> None:
        super().__init__(code, sentence_of(faults), faults=faults)


class UnknownIdError(AssayError, KeyError):
    """Ids without a weight. `ids` holds all of them."""

    def __init__(self, detail: str, ids: Sequence[str]) -> None:
        super().__init__("unknown_id", detail)
        self.ids = tuple(ids)


def sentence_of(faults: Sequence[Fault]) -> str:
    """The first fault, and how many others there are."""
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0]}{more}"
