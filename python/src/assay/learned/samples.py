"""Samples to learn from: lines of JSON with a text, and as far as they have them the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.export.texts import Text
from assay.learned.errors import LearnedError
from assay.lines import read_objects

SENT = ("id", "query", "document", "text", "label", "group", "reference_loss", "extras")


@dataclass(frozen=True)
class Sample:
    """One line: `fields` are all of it, `line` its number, from 1."""

    fields: dict[str, Any]
    line: int

    @property
    def text(self) -> Text:
        """What the ranker reads."""
        if "text" in self.fields:
            return Text(self.fields["text"])
        return Text(self.fields["query"], self.fields["document"])

    @property
    def request(self) -> dict[str, Any]:
        """The fields that a service takes; the target and what else stands in the line stays."""
        return {name: self.fields[name] for name in SENT if name in self.fields}

    @property
    def extras(self) -> dict[str, float]:
        """Named numbers of the sample."""
        extras: dict[str, float] = self.fields.get("extras", {})
        return extras


def read_samples(path: Path) -> list[Sample]:
    """Reads samples of a JSON-lines file, in its order.

    Raises:
        LearnedError: a line holds no text, or an extra that is no finite number; naming the line.
    """
    samples = []
    for number, fields in read_objects(path, LearnedError):
        sample = Sample(fields, number)
        if not isinstance(fields.get("text"), str) and not (
            isinstance(fields.get("query"), str) and isinstance(fields.get("document"), str)
        ):
            raise LearnedError(f"{path.name}, line {number}: expected query and document, or text")
        if not isinstance(sample.extras, dict):
            raise LearnedError(f"{path.name}, line {number}: expected extras to be an object")
        for name, value in sample.extras.items():
            if not is_number(value):
                raise LearnedError(f"{path.name}, line {number}: extra {name} is no finite number")
        samples.append(sample)
    return samples


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows that `assay score` wrote as NDJSON, in their order."""
    return [row for _, row in read_objects(path, LearnedError)]


def is_number(value: object) -> bool:
    """Whether a JSON value is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
