"""JSON of an answer to the dataclasses of `assay.client.answers`."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from assay.client.errors import AssayError

T = TypeVar("T")


def decode(kind: Callable[..., T], value: Any) -> T:
    """A value of a dataclass from a JSON object; fields that it does not know are left out.

    Raises:
        AssayError: the object lacks a field (`unexpected_answer`).
    """
    if not isinstance(value, dict):
        raise AssayError("unexpected_answer", f"expected a {_name(kind)}, not {value!r:.80}")
    given: dict[str, Any] = {}
    for name, (hint, required) in _fields(kind).items():
        if name in value:
            given[name] = _decode_as(hint, value[name])
        elif required:
            raise AssayError(
                "unexpected_answer",
                f"the service's {_name(kind)} lacks {name!r}: service and client are of different "
                "versions",
            )
    return kind(**given)


def _decode_as(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) in (Union, types.UnionType):
        options = [option for option in get_args(hint) if option is not type(None)]
        return _decode_as(options[0], value) if len(options) == 1 else value
    if get_origin(hint) is list and isinstance(value, list):
        return [_decode_as(get_args(hint)[0], entry) for entry in value]
    if hint is datetime:
        return datetime.fromisoformat(value)
    if isinstance(hint, type) and is_dataclass(hint):
        return decode(hint, value)
    return value


def _name(kind: Any) -> str:
    return str(kind.__name__)


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Name to type, and whether it has to be there."""
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], field.default is MISSING) for field in fields(kind)}
