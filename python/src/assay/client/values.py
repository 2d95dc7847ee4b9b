"""One value of a sample as the service takes it: scalars of NumPy, pandas and torch become plain.

Each function gives the JSON value, or None where the value is missing, and raises ValueError with
what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Reader = Callable[[object], Any]


def plain(value: object) -> object:
    """A scalar of NumPy, torch or Arrow, or an array, as Python's own; other values unchanged."""
    if type(value).__module__ == "builtins":
        return value
    if type(value).__name__ in ("NAType", "NaTType"):  # pandas' missing value
        return None
    for convert in ("tolist", "to_list", "to_pylist", "as_py", "item"):
        method = getattr(value, convert, None)
        if callable(method):
            return method()
    return value


def read_text(value: object) -> str | None:
    """A query, a document or a single text."""
    value = plain(value)
    if value is None:
        return None
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("is NaN: give a text, or leave the sample out")
    if not isinstance(value, str):
        raise ValueError(f"is {_kind(value)}: give a text")
    return _unicode(value)


def read_name(value: object) -> str | None:
    """An id or a group; integers become text."""
    value = plain(value)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("is NaN: give text or an integer, or None if there is none")
    if isinstance(value, float):
        raise ValueError(f"is the float {value}: give text or an integer")
    if not isinstance(value, str):
        raise ValueError(f"is {_kind(value)}: give text or an integer")
    return _unicode(value)


def read_number(value: object) -> float | int | None:
    """A finite number; booleans become 0 or 1."""
    value = plain(value)
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, (int, float)):
        raise ValueError(f"is {_kind(value)}: give a number")
    if math.isnan(value):
        raise ValueError("is NaN: give a number, or None if there is none")
    if math.isinf(value):
        raise ValueError(f"is {value}: give a finite number")
    return value


def read_label(value: object) -> float | int | list[float | int] | None:
    """A number, or a list of K probabilities; None if the sample has no label."""
    value = plain(value)
    if not isinstance(value, (list, tuple)):
        return read_number(value)
    numbers = [read_number(entry) for entry in value]
    if any(number is None for number in numbers):
        raise ValueError("has an entry that is None: give K numbers")
    return [number for number in numbers if number is not None]


def read_extras(value: object) -> dict[str, float | int] | None:
    """Named numbers; those that are None are left out."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"is {_kind(value)}: give a mapping of names to numbers")
    numbers: dict[str, float | int] = {}
    for name, entry in value.items():
        try:
            number = read_number(entry)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        if number is not None:
            numbers[str(name)] = number
    return numbers


def _unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds a lone surrogate, which is not Unicode text") from error
    return text


def _kind(value: object) -> str:
    shown = repr(value)
    return f"{shown[:40]}{'...' if len(shown) > 40 else ''} ({type(value).__name__})"
