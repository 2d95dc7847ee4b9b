"""Templates, truncation and the files of a tokeniser."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from assay.export.errors import ExportError
from assay.export.pairs import kept_lengths
from assay.export.texts import Text, check_texts
from assay.export.tokenizer import check_tokenizer, load_tokenizer
from checkpoints import TOKENIZERS, word_pieces

VOCABULARY = {
    token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "A", "a"])
}


def saved(tokenizer: Any, folder: Path) -> Path:
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", sorted(TOKENIZERS))
@pytest.mark.parametrize("tokens_max", [8, 9, 40, 64])
def test_assembled_ids_equal_hugging_faces(family: str, tokens_max: int, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(saved(TOKENIZERS[family](), tmp_path))
    for text in check_texts(tokens_max):
        assert tokenizer.assemble(text, tokens_max) == tokenizer.encode(text, tokens_max)


def test_the_template_of_bert_has_one_separator_between_the_texts(tmp_path: Path) -> None:
    template = load_tokenizer(saved(word_pieces(), tmp_path)).template.entry()
    assert template == {
        "single": [2, "A", 3],
        "pair": [2, "A", 3, "B", 3],
        "single_type_ids": [0, 0, 0],
        "pair_type_ids": [0, 0, 0, 1, 1],
    }


def test_a_tokeniser_that_hands_no_types_to_its_model_gives_zeros(tmp_path: Path) -> None:
    """As in a call without options: what a CrossEncoder trains and predicts with."""
    tokenizer = word_pieces()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    loaded = load_tokenizer(saved(tokenizer, tmp_path))
    assert "token_type_ids" not in loaded.reference(["a"], ["b"])
    text = Text("a", "b")
    assert loaded.assemble(text, 8) == loaded.encode(text, 8)
    assert set(loaded.encode(text, 8)[1]) == {0}
    assert loaded.template.entry()["pair_type_ids"] == [0] * 5
    for name, content in loaded.files(64).items():
        (tmp_path / name).write_bytes(content)
    assert load_tokenizer(tmp_path).template == loaded.template


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"])
def test_the_template_of_roberta_has_two_separators_and_one_type(
    family: str, tmp_path: Path
) -> None:
    template = load_tokenizer(saved(TOKENIZERS[family](), tmp_path)).template.entry()
    assert template["pair"] == [0, "A", 2, 2, "B", 2]
    assert template["pair_type_ids"] == [0, 0, 0, 0, 0, 0]


def test_an_empty_second_text_keeps_its_separator(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(saved(word_pieces(), tmp_path))
    ids, types = tokenizer.assemble(Text("a", ""), 8)
    assert ids[-2:] == [3, 3]
    assert types[-2:] == [0, 1]


def test_kept_lengths_are_those_of_the_tokenizers_library() -> None:
    bare = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
    bare.pre_tokenizer = pre_tokenizers.Whitespace()
    for room in range(1, 9):
        bare.enable_truncation(room, strategy="longest_first")
        for first in range(12):
            for second in range(12):
                ids = bare.encode("a " * first, "b " * second).ids
                assert kept_lengths(first, second, room) == (ids.count(1), ids.count(2))


def test_kept_lengths_fill_the_room_and_never_exceed_a_text() -> None:
    draw = random.Random(1)
    for _ in range(2_000):
        first, second, room = (draw.randrange(0, 300) for _ in range(3))
        kept = kept_lengths(first, second, room)
        assert sum(kept) == min(first + second, room)
        assert kept[0] <= first
        assert kept[1] <= second


def test_a_tokeniser_that_cuts_on_the_left_is_refused(tmp_path: Path) -> None:
    config = saved(word_pieces(), tmp_path) / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "truncation_side": "left"}))
    loaded = load_tokenizer(tmp_path)
    with pytest.raises(ExportError, match="do not reproduce Hugging Face's tokens"):
        check_tokenizer(loaded, check_texts(64), 64, 2)


def test_a_template_that_puts_the_second_text_first_is_refused(tmp_path: Path) -> None:
    tokenizer = word_pieces()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $B [SEP] $A:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    with pytest.raises(ExportError, match="does not hold A then B"):
        load_tokenizer(saved(tokenizer, tmp_path))


def test_type_ids_beyond_the_models_table_are_refused(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(saved(word_pieces(), tmp_path))
    with pytest.raises(ExportError, match="token type 1, and the model knows 1"):
        check_tokenizer(tokenizer, check_texts(64), 64, 1)


def test_a_tokeniser_without_a_padding_token_is_refused(tmp_path: Path) -> None:
    tokenizer = word_pieces()
    tokenizer.pad_token = None
    with pytest.raises(ExportError, match="no padding token"):
        load_tokenizer(saved(tokenizer, tmp_path))


def test_the_written_tokenizer_is_autotokenizers_where_the_files_disagree(tmp_path: Path) -> None:
    transformers.BertTokenizer(vocab=VOCABULARY, do_lower_case=True).save_pretrained(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "do_lower_case": False}))
    assert json.loads((tmp_path / "tokenizer.json").read_text())["normalizer"]["lowercase"]
    loaded = load_tokenizer(tmp_path)
    written = json.loads(loaded.files(64)["tokenizer.json"])
    assert not written["normalizer"]["lowercase"]
    assert (
        loaded.assemble(Text("A a"), 8) == loaded.encode(Text("A a"), 8) == ([2, 5, 6, 3], [0] * 4)
    )


def test_a_tokeniser_that_draws_its_merges_is_refused(tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["roberta"]()
    tokenizer.backend_tokenizer.model.dropout = 0.1
    with pytest.raises(ExportError, match=r"draws its merges at random \(dropout 0.1"):
        load_tokenizer(saved(tokenizer, tmp_path))


def test_a_tokeniser_that_splits_special_tokens_is_refused(tmp_path: Path) -> None:
    config = saved(word_pieces(), tmp_path) / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "split_special_tokens": True}))
    with pytest.raises(ExportError, match="split_special_tokens"):
        load_tokenizer(tmp_path)


def test_the_written_tokenizer_neither_cuts_nor_pads(tmp_path: Path) -> None:
    tokenizer = word_pieces()
    tokenizer(["a", "b c"], padding="max_length", truncation=True, max_length=5)
    files = load_tokenizer(saved(tokenizer, tmp_path)).files(64)
    written = json.loads(files["tokenizer.json"])
    assert written["truncation"] is None
    assert written["padding"] is None
    config = json.loads(files["tokenizer_config.json"])
    assert config["model_max_length"] == 64
    assert config["pad_token"] == "[PAD]"
