"""Directions: made from any number of samples, read and listed."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.client.answers.direction import Direction
from assay.client.call import Call, Plan
from assay.client.chunks import in_groups
from assay.client.decode import decode
from assay.client.operations.datasets import list_all
from assay.client.paths import direction_path, model_path
from assay.client.problems import LINES
from assay.client.samples import Columns, read_samples
from assay.client.sources import Samples
from assay.client.values import plain


def make_direction(
    name: str, samples: Samples, columns: Columns, query: Mapping[str, Any]
) -> Plan[Direction]:
    """Makes a direction, as a stream of JSON lines. `query` has its kind, and model and loss.

    Raises:
        SampleError: a sample has a fault; nothing was sent.
    """
    chunk = in_groups(read_samples(samples, columns), columns)
    [answer] = yield [
        Call(
            "PUT",
            direction_path(name),
            query,
            content=lambda: chunk.joined(b"\n"),
            media_type=LINES,
            place=chunk.place,
        )
    ]
    return decode(Direction, answer)


@dataclass(frozen=True)
class Preconditioner:
    """An Adam optimiser and the module that it trains. `squared`: D² in place of D."""

    optimiser: Any
    module: Any
    squared: bool


def preconditioner(
    optimiser: Any | None, module: Any | None, *, squared: bool, scale: Any | None
) -> Preconditioner | Any:
    """What scales a direction, of the arguments of `Client.scale_direction`."""
    if scale is not None and optimiser is None and module is None and not squared:
        return scale
    if scale is None and optimiser is not None and module is not None:
        return Preconditioner(optimiser, module, squared)
    raise TypeError("pass optimiser and module, or a scale alone")


def scale_direction(name: str, by: Preconditioner | Any) -> Plan[Direction]:
    """Multiplies a direction by an optimiser's step sizes, or by numbers (P), once."""
    if isinstance(by, Preconditioner):
        # It imports torch, which a client that scales nothing does not need.
        from assay.client.push.step_sizes import step_sizes

        direction = yield from read_direction(name)
        [manifest] = yield [Call("GET", f"{model_path(direction.model.name)}/manifest")]
        sizes = step_sizes(by.optimiser, by.module, manifest, squared=by.squared)
        content = b"".join(sizes)
    else:
        values = plain(by)
        content = array("f", values if isinstance(values, list) else list(by)).tobytes()
    [answer] = yield [
        Call(
            "PUT",
            f"{direction_path(name)}/scale",
            content=lambda: content,
            media_type="application/octet-stream",
        )
    ]
    return decode(Direction, answer)


def list_directions() -> Plan[list[Direction]]:
    """All directions, by name."""
    return list_all("/v1/directions", "directions", Direction)


def read_direction(name: str) -> Plan[Direction]:
    """One direction."""
    [answer] = yield [Call("GET", direction_path(name))]
    return decode(Direction, answer)
