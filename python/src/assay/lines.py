"""Files of JSON lines, read as strictly as the service reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BYTE_ORDER_MARK = "\ufeff"


def read_objects(
    path: Path, fault: Callable[[str], Exception]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number of each line, from 1, and its object; blank lines are left out.

    A line feed alone ends a line: texts may hold U+2028, U+2029 and U+0085.

    Raises:
        what `fault` makes of a message, where the file cannot be read, or a line is not UTF-8, no
        JSON object, or has a key twice; with the line's number.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise fault(f"{path} cannot be read: {error.strerror}") from error
    with file:
        for number, line in enumerate(file, start=1):
            at = f"{path.name}, line {number}"
            text = _decoded(line, at, fault)
            if number == 1:
                text = text.removeprefix(BYTE_ORDER_MARK)
            if text.strip(" \t\r\n"):
                yield number, _object(text, at, fault)


def _decoded(line: bytes, at: str, fault: Callable[[str], Exception]) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        character = len(line[: error.start].decode("utf-8")) + 1
        byte = f"{line[error.start]:02X}"
        raise fault(f"{at}, character {character}: the byte {byte} is not UTF-8") from error


def _object(text: str, at: str, fault: Callable[[str], Exception]) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refused)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise fault(f"{at}, character {error.colno}: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise fault(f"{at}: holds a lone surrogate, which is not Unicode text") from error
    except (ValueError, RecursionError) as error:
        raise fault(f"{at}: {error}") from error
    if not isinstance(value, dict):
        raise fault(f"{at}: expected an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"the key {json.dumps(twice)} occurs twice")
    return value


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
