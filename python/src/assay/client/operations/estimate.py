"""Means over a population, from samples that were not drawn evenly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assay.client.answers.estimate import Estimates
from assay.client.call import Call, Plan
from assay.client.decode import decode
from assay.client.errors import Fault, SampleError
from assay.client.samples import FAULTS_MAX
from assay.client.values import plain, read_number


def estimate(
    values: Mapping[str, Any], lists: Mapping[str, Any], fields: Mapping[str, Any]
) -> Plan[Estimates]:
    """Estimates a mean of each list of `values`. `lists` are the probabilities or densities.

    Raises:
        SampleError: an entry is missing, NaN or no number; nothing was sent.
    """
    faults: list[Fault] = []
    body = {
        "values": {
            name: _numbers(f"/values/{name}", name, column, faults)
            for name, column in values.items()
        },
        **{name: _numbers(f"/{name}", name, column, faults) for name, column in lists.items()},
        **fields,
    }
    if faults:
        raise SampleError(faults)
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    [answer] = yield [Call("POST", "/v1/estimate", content=lambda: content)]
    return decode(Estimates, answer)


def _numbers(path: str, name: str, column: Any, faults: list[Fault]) -> list[float | int | None]:
    """A column of numbers; what is wrong with its entries is added to `faults`."""
    entries = plain(column)
    numbers: list[float | int | None] = []
    for row, value in enumerate(entries if isinstance(entries, list) else list(column)):
        if len(faults) >= FAULTS_MAX:
            break
        try:
            number = read_number(value)
            if number is None:
                raise ValueError("is missing: give a number")
            numbers.append(number)
        except ValueError as error:
            faults.append(Fault(f"{path}/{row}", str(error), row, name))
    return numbers
