"""How one text and a pair of texts become ids: the template that the service fills.

The service tokenises each text by itself, without special tokens, cuts the longer first and puts
the ids into the template of the manifest. The functions here are that procedure; an export is
refused where its result differs from Hugging Face's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Element = int | Literal["A", "B"]


@dataclass(frozen=True)
class Layout:
    """Special ids and slots in their order, and the type id of each element."""

    elements: list[Element]
    type_ids: list[int]

    @property
    def special_count(self) -> int:
        """How many ids the layout adds to the texts."""
        return sum(isinstance(element, int) for element in self.elements)

    def untyped(self) -> Layout:
        """The layout with the type id 0 everywhere."""
        return Layout(self.elements, [0] * len(self.elements))

    def fill(self, slots: dict[str, list[int]]) -> tuple[list[int], list[int]]:
        """Ids and type ids, each (T), with the slots' ids in their places."""
        ids: list[int] = []
        types: list[int] = []
        for element, type_id in zip(self.elements, self.type_ids, strict=True):
            part = [element] if isinstance(element, int) else slots[element]
            ids += part
            types += [type_id] * len(part)
        return ids, types


@dataclass(frozen=True)
class Template:
    """The layouts of a single text and of a pair."""

    single: Layout
    pair: Layout

    def entry(self) -> dict[str, Any]:
        """The template as the manifest writes it."""
        return {
            "single": self.single.elements,
            "pair": self.pair.elements,
            "single_type_ids": self.single.type_ids,
            "pair_type_ids": self.pair.type_ids,
        }

    def assemble(
        self, first: list[int], second: list[int] | None, tokens_max: int
    ) -> tuple[list[int], list[int]]:
        """Ids and type ids of a text, or of a pair, cut to `tokens_max`."""
        if second is None:
            room = tokens_max - self.single.special_count
            return self.single.fill({"A": first[:room]})
        room = tokens_max - self.pair.special_count
        kept = kept_lengths(len(first), len(second), room)
        return self.pair.fill({"A": first[: kept[0]], "B": second[: kept[1]]})


def kept_lengths(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens of each text stay, longest first, when both must fit into `room`.

    The shorter text stays whole where it fits into half the room; otherwise each gets half, and the
    odd token goes to the longer one (to the second, if they are equally long).
    """
    if first + second <= room:
        return first, second
    short = min(first, second, room // 2)
    return (room - short, short) if first > second else (short, room - short)
