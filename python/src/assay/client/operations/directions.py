"""Directions: made from any number of samples, read and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.client.answers.direction import Direction
from assay.client.call import Call, Plan
from assay.client.chunks import in_groups
from assay.client.decode import decode
from assay.client.operations.datasets import list_all
from assay.client.paths import direction_path
from assay.client.problems import LINES
from assay.client.samples import Columns, read_samples
from assay.client.sources import Samples


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


def list_directions() -> Plan[list[Direction]]:
    """All directions, by name."""
    return list_all("/v1/directions", "directions", Direction)


def read_direction(name: str) -> Plan[Direction]:
    """One direction."""
    [answer] = yield [Call("GET", direction_path(name))]
    return decode(Direction, answer)
