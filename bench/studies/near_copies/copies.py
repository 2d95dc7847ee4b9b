"""Near-copies of a pair: what a second crawl, another annotator or a sloppy import makes of it."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import replace

from assay.export.texts import Text

WORDS_LEAST = 3  # of a text that is edited: less is no copy any more
LETTERS_LEAST = 4  # of a word that gets a typing error


def edited(text: Text, kind: str, drawn: random.Random) -> Text | None:
    """The pair with one text edited, the document rather than the query in proportion to their
    words; None where neither can be."""
    assert text.document is not None
    query, document = text.query.split(), text.document.split()
    sides = [
        side
        for side, words in (("query", query), ("document", document))
        if len(words) >= WORDS_LEAST
    ]
    drawn.shuffle(sides)
    sides.sort(key=lambda side: drawn.random() ** (1 / len(query if side == "query" else document)))
    while sides:
        side = sides.pop()
        words = query if side == "query" else document
        made = " ".join(KINDS[kind](list(words), drawn))
        if made != " ".join(words):
            return replace(text, **{side: made})
    return None


def _drop(words: list[str], drawn: random.Random) -> list[str]:
    del words[drawn.randrange(len(words))]
    return words


def _swap(words: list[str], drawn: random.Random) -> list[str]:
    at = drawn.randrange(len(words) - 1)
    words[at : at + 2] = words[at + 1], words[at]
    return words


def _typo(words: list[str], drawn: random.Random) -> list[str]:
    """Another letter in one word."""
    long = [at for at, word in enumerate(words) if word.isalpha() and len(word) >= LETTERS_LEAST]
    if long:
        at = drawn.choice(long)
        word, letter = words[at], drawn.randrange(len(words[at]))
        words[at] = word[:letter] + drawn.choice(string.ascii_lowercase) + word[letter + 1 :]
    return words


def _join(words: list[str], drawn: random.Random) -> list[str]:
    """A space left out."""
    at = drawn.randrange(len(words) - 1)
    words[at : at + 2] = [words[at] + words[at + 1]]
    return words


def _case(words: list[str], _: random.Random) -> list[str]:
    """Capitals, which a lower-casing tokeniser does not see."""
    return [word.upper() for word in words]


KINDS: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "word dropped": _drop,
    "words swapped": _swap,
    "letter changed": _typo,
    "space left out": _join,
    "capitals": _case,
}
