"""The service's tokens are those of AutoTokenizer, for every family and kind of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from assay.export.tokenizer import TextTokenizer, load_tokenizer
from token_families import FAMILIES
from token_service import Pair, Rows, TokenService
from token_texts import LONG, every_character, make_text, variants
from tokens import inputs, spelled

STRINGS = 100_000 if LONG else 1_600  # drawn for each family
BATCH = 400
# Tokens: an odd and an even rest for the texts of a pair, and one that cuts few.
LIMITS = (17, 24, 512)


@dataclass(frozen=True)
class Exported:
    """The tokeniser of a family, and the model folder that was written of it."""

    family: str
    tokenizer: TextTokenizer
    folder: Path


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    family = str(request.param)
    checkpoint, folder = tmp_path_factory.mktemp(family), tmp_path_factory.mktemp("model")
    FAMILIES[family](checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    for name, content in tokenizer.files(512).items():
        (folder / name).write_bytes(content)
    return Exported(family, tokenizer, folder)


def test_tokens_of_known_texts_are_hugging_faces(exported: Exported, service: TokenService) -> None:
    """Those that a tokeniser has had wrong before are among them, in every case and normal form."""
    by_limit: dict[int, list[Pair]] = {}
    for _, first, second, tokens_max in inputs():
        pair = (spelled(first), None if second is None else spelled(second))
        by_limit.setdefault(tokens_max, []).append(pair)
    by_limit.setdefault(512, []).extend((text, None) for text in variants())
    compare(exported, service, list(by_limit.items()))


def test_tokens_of_any_text_are_hugging_faces(exported: Exported, service: TokenService) -> None:
    random = Random(f"tokens of {exported.family}")
    compare(exported, service, [drawn(random) for _ in range(STRINGS // BATCH)])


def test_tokens_of_every_character_are_hugging_faces(
    exported: Exported, service: TokenService
) -> None:
    texts = every_character(64)
    every = texts if LONG else texts[:: len(texts) // 900]
    batches = [every[at : at + BATCH] for at in range(0, len(every), BATCH)]
    compare(exported, service, [(512, [(text, None) for text in batch]) for batch in batches])


def drawn(random: Random) -> tuple[int, list[Pair]]:
    """A batch of `BATCH` strings, alone and in pairs, and its limit of tokens."""
    texts: list[Pair] = []
    strings = 0
    while strings < BATCH:
        first = make_text(random)
        second = make_text(random) if random.random() < 0.5 and strings + 2 <= BATCH else None
        texts.append((first, second))
        strings += 1 if second is None else 2
    return random.choice(LIMITS), texts


def compare(
    exported: Exported, service: TokenService, batches: list[tuple[int, list[Pair]]]
) -> None:
    pair = exported.tokenizer.template.entry()
    differences: list[str] = []
    for tokens_max, texts in batches:
        service.send(exported.folder, pair, tokens_max, texts)
        expected = reference(exported.tokenizer, tokens_max, texts)
        differences += describe(texts, expected, service.receive())
    found = f"{len(differences)} texts differ:\n" + "\n".join(differences[:20])
    assert differences == [], found


def reference(tokenizer: TextTokenizer, tokens_max: int, texts: list[Pair]) -> Rows:
    """As `AutoTokenizer` makes them: single texts and pairs are two calls."""
    ids: list[list[int]] = [[] for _ in texts]
    type_ids: list[list[int]] = [[] for _ in texts]
    for paired in (False, True):
        rows = [row for row, (_, second) in enumerate(texts) if (second is not None) == paired]
        if not rows:
            continue
        encoded = tokenizer.reference(
            [texts[row][0] for row in rows],
            [texts[row][1] for row in rows] if paired else None,
            truncation="longest_first",
            max_length=tokens_max,
            return_token_type_ids=True,
            return_attention_mask=False,
        )
        for row, row_ids, row_types in zip(
            rows, encoded["input_ids"], encoded["token_type_ids"], strict=True
        ):
            ids[row], type_ids[row] = row_ids, row_types
    return Rows(ids, type_ids)


def describe(texts: list[Pair], expected: Rows, found: Rows) -> Iterator[str]:
    """Where the two differ, in words."""
    for row, text in enumerate(texts):
        if (expected.ids[row], expected.type_ids[row]) != (found.ids[row], found.type_ids[row]):
            yield f"{text!a}: {expected.ids[row]} expected, {found.ids[row]} found"
