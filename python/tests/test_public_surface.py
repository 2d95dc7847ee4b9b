"""The public surface as committed text, so that a change of it shows in a diff.

After a wanted change: ASSAY_UPDATE_SNAPSHOTS=1 pytest tests/test_public_surface.py
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import is_typeddict

from assay.export.__main__ import _parser as export_parser
from assay.learned.__main__ import _parser as learned_parser

SURFACE = Path(__file__).parent / "public_surface.txt"
PACKAGES = ("assay.client", "assay.export", "assay.integrations", "assay.learned")


def test_the_public_surface_is_the_committed_one() -> None:
    found = "\n".join(surface()) + "\n"
    if os.environ.get("ASSAY_UPDATE_SNAPSHOTS") is not None:
        SURFACE.write_text(found, "utf-8")
    committed = SURFACE.read_text("utf-8")
    changes = difflib.unified_diff(
        committed.splitlines(), found.splitlines(), "committed", "found", lineterm=""
    )
    assert found == committed, "\n".join(changes)


def surface() -> Iterator[str]:
    for package in PACKAGES:
        for name in modules(package):
            yield from names(importlib.import_module(name))
    for parser in (export_parser(), learned_parser()):
        yield from helps(parser)


def modules(package: str) -> list[str]:
    path = importlib.import_module(package).__path__
    return sorted(
        module.name
        for module in pkgutil.walk_packages(path, f"{package}.")
        if not module.name.endswith("__main__")
    )


def names(module: ModuleType) -> Iterator[str]:
    """The functions and classes that a module defines, with the classes' methods."""
    for name, value in sorted(vars(module).items()):
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield f"class {module.__name__}.{name}{signature(value)}"
            yield from (
                f"  {member}{signature(function)}"
                for member, function in sorted(vars(value).items())
                if inspect.isfunction(function) and not member.startswith("_")
            )
        elif inspect.isfunction(value):
            yield f"def {module.__name__}.{name}{signature(value)}"


def signature(value: Callable[..., object]) -> str:
    """Parameters with their annotations and defaults; an error's are those of every exception, and
    a TypedDict's are its keys."""
    if isinstance(value, type) and issubclass(value, BaseException):
        return ""
    if is_typeddict(value):
        return f"({', '.join(sorted(value.__annotations__))})"
    return str(inspect.signature(value))


def helps(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What the help of a command and of its subcommands says; argparse's own layout of it differs
    between versions of Python."""
    yield f"\n$ {parser.prog} --help"
    yield (parser.description or "").strip()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from helps(command)
        elif not isinstance(action, argparse._HelpAction):
            yield f"{described(action)}: {action.help}"
    yield (parser.epilog or "").strip()


def described(action: argparse.Action) -> str:
    """The argument's names, with how it is given and its default."""
    parts = [", ".join(action.option_strings) or action.dest]
    if action.option_strings and action.required:
        parts.append("required")
    if action.nargs is not None:
        parts.append(f"nargs {action.nargs}")
    if action.choices is not None:
        parts.append(f"one of {', '.join(action.choices)}")
    if action.default is not None:
        parts.append(f"default {action.default!r}")
    return " | ".join(parts)
