"""The tokeniser of a checkpoint: its two files, its template, and the proof that both suffice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from assay.export.adapters import base_of
from assay.export.cross_encoder import tokens_max_of
from assay.export.errors import ExportError
from assay.export.pairs import Element, Layout, Template
from assay.export.texts import Text

SPECIAL_TOKENS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


@dataclass(frozen=True)
class TextTokenizer:
    """Hugging Face's tokeniser (`reference`), the bare one behind it, and the template of pairs."""

    reference: Any
    bare: Any
    template: Template

    def encode(self, text: Text, tokens_max: int) -> tuple[list[int], list[int]]:
        """Ids and type ids of one text, as Hugging Face makes them.

        A tokeniser that does not hand type ids to its model (`model_input_names`) gives zeros, as
        its model reads none. The call is batched: given one text at a time, transformers 5 takes an
        empty second text for none.
        """
        second = None if text.document is None else [text.document]
        encoded = self.reference(
            [text.query],
            second,
            truncation="longest_first",
            max_length=tokens_max,
            return_token_type_ids=True,
        )
        ids, types = encoded["input_ids"][0], encoded["token_type_ids"][0]
        return ids, types if _gives_types(self.reference) else [0] * len(ids)

    def assemble(self, text: Text, tokens_max: int) -> tuple[list[int], list[int]]:
        """Ids and type ids of one text, as the service makes them."""
        second = None if text.document is None else self._ids(text.document)
        return self.template.assemble(self._ids(text.query), second, tokens_max)

    def batch(self, texts: Sequence[Text], tokens_max: int) -> dict[str, Tensor]:
        """Texts as int64 (B, T) inputs, padded on the right to the longest."""
        encoded = [self.encode(text, tokens_max) for text in texts]
        width = max(len(ids) for ids, _ in encoded)
        ids = np.full((len(texts), width), self.reference.pad_token_id, dtype=np.int64)
        mask, types = np.zeros_like(ids), np.full_like(ids, self.reference.pad_token_type_id)
        for row, (row_ids, row_types) in enumerate(encoded):
            ids[row, : len(row_ids)] = row_ids
            mask[row, : len(row_ids)] = 1
            types[row, : len(row_ids)] = row_types
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def files(self, tokens_max: int) -> dict[str, bytes]:
        """tokenizer.json without truncation and padding, and tokenizer_config.json."""
        config: dict[str, Any] = {
            "tokenizer_class": type(self.reference).__name__,
            "model_max_length": tokens_max,
            "model_input_names": list(self.reference.model_input_names),
        }
        for name in SPECIAL_TOKENS:
            token = getattr(self.reference, f"{name}_token")
            if token is not None:
                config[f"{name}_token"] = str(token)
        return {
            "tokenizer.json": self.bare.to_str(pretty=False).encode(),
            "tokenizer_config.json": (json.dumps(config, indent=2) + "\n").encode(),
        }

    def _ids(self, text: str) -> list[int]:
        return list(self.bare.encode(text, add_special_tokens=False).ids)


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Loads the tokeniser of a checkpoint and reads its template.

    An adapter without a tokeniser has that of its base model.

    What is exported is what `AutoTokenizer` runs, not the folder's tokenizer.json: transformers 5
    takes that file's vocabulary and builds the normalizer and pre-tokenizer of a family anew, from
    tokenizer_config.json (do_lower_case, strip_accents, add_prefix_space, ...).

    Raises:
        ExportError: there is none, it exists in Python only, it does not put two texts in order, or
            a part of it is not served.
    """
    from transformers import AutoTokenizer

    own = any(folder.glob("tokenizer*"))
    try:
        reference = AutoTokenizer.from_pretrained(
            folder if own else base_of(folder), padding_side="right"
        )
    except (OSError, ValueError, ImportError) as error:
        raise ExportError(f"the tokeniser of {folder} does not load: {error}") from error
    if not getattr(reference, "is_fast", False):
        raise ExportError(
            f"{type(reference).__name__} exists in Python only: save a tokenizer.json beside it "
            "(transformers.convert_slow_tokenizer) and export again"
        )
    if reference.pad_token_id is None:
        raise ExportError("the tokeniser has no padding token")
    if reference.split_special_tokens:
        raise ExportError(
            "the tokeniser splits special tokens in texts (split_special_tokens), and a "
            "tokenizer.json cannot say so: set it to false"
        )
    reference.model_max_length = tokens_max_of(folder) or reference.model_max_length
    bare = Tokenizer.from_str(reference.backend_tokenizer.to_str())
    if dropout := getattr(bare.model, "dropout", None):
        raise ExportError(
            f"the tokeniser draws its merges at random (dropout {dropout}): set dropout to null in "
            "tokenizer.json"
        )
    bare.no_truncation()
    bare.no_padding()
    return TextTokenizer(reference, bare, _read_template(bare, types=_gives_types(reference)))


def check_tokenizer(
    tokenizer: TextTokenizer, texts: Sequence[Text], tokens_max: int, types_max: int
) -> None:
    """Holds the template's assembly against Hugging Face's encoding.

    Raises:
        ExportError: the two differ on a text, or a type id is not below `types_max`.
    """
    for text in texts:
        expected = tokenizer.encode(text, tokens_max)
        actual = tokenizer.assemble(text, tokens_max)
        if actual != expected:
            raise ExportError(
                "template and truncation do not reproduce Hugging Face's tokens for "
                f"{_shortened(text)}: {len(actual[0])} ids {actual[0][:8]}..., "
                f"expected {len(expected[0])} ids {expected[0][:8]}..."
            )
        if max(expected[1], default=0) >= types_max:
            raise ExportError(
                f"the tokeniser gives token type {max(expected[1])}, and the model knows "
                f"{types_max} of them"
            )


def _gives_types(reference: Any) -> bool:
    return "token_type_ids" in reference.model_input_names


def _read_template(bare: Any, *, types: bool) -> Template:
    single, pair = (
        _read_layout(encoding, slots)
        for encoding, slots in ((bare.encode("a"), ["A"]), (bare.encode("a", "a"), ["A", "B"]))
    )
    return Template(single, pair) if types else Template(single.untyped(), pair.untyped())


def _read_layout(encoding: Any, slots: list[str]) -> Layout:
    """Special ids stay as they are; each run of tokens of one text becomes its slot."""
    elements: list[Element] = []
    type_ids: list[int] = []
    previous: int | None = None
    for token, sequence, type_id in zip(
        encoding.ids, encoding.sequence_ids, encoding.type_ids, strict=True
    ):
        if sequence is None:
            elements.append(token)
            type_ids.append(type_id)
        elif sequence != previous:
            elements.append("A" if sequence == 0 else "B")
            type_ids.append(type_id)
        previous = sequence
    if [element for element in elements if isinstance(element, str)] != slots:
        raise ExportError(f"the template of the tokeniser does not hold {' then '.join(slots)}")
    return Layout(elements, type_ids)


def _shortened(text: Text) -> str:
    parts = [text.query, *([] if text.document is None else [text.document])]
    return " | ".join(json.dumps(p[:40] + "..." if len(p) > 40 else p) for p in parts)
