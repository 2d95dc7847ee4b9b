"""Checkpoint folders with the tokeniser of each family: small vocabularies, the family's own parts.

Every character of `characters` has a token of its own where the family's model allows it, so that a
difference in one character is one in the ids, and not one unknown token for another.
"""

from __future__ import annotations

import functools
import io
import json
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from token_texts import LONG, WORDS

LARGE_SCRIPTS = ("CJK", "HANGUL SYLLABLE", "TANGUT")
BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ANGLE_TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@functools.cache
def characters() -> list[str]:
    """Every assigned character; of the large scripts, unless ASSAY_TEST_LONG is set, one in eight.

    Vocabularies of every ideograph take longer to build and load than the texts take.
    """
    known = set("".join(unicodedata.normalize("NFKC", word) + word for word in WORDS))
    assigned = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")
    ]
    return [
        character
        for number, character in enumerate(assigned)
        if LONG
        or number % 8 == 0
        or character in known
        or not unicodedata.name(character, "").startswith(LARGE_SCRIPTS)
    ]


@functools.cache
def pieces() -> list[str]:
    """Beginnings of words, without the first and with it."""
    return sorted({word[:end] for word in WORDS for end in (2, 3, 4, 6) if len(word) >= end})


def word_piece(folder: Path, **flags: Any) -> None:
    tokens = [*BERT_TOKENS, *characters(), *(f"##{character}" for character in characters())]
    tokens += pieces() + [f"##{piece}" for piece in pieces()]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    transformers.BertTokenizer(vocab=vocabulary, model_max_length=512, **flags).save_pretrained(
        folder
    )


def bert_uncased(folder: Path) -> None:
    word_piece(folder, do_lower_case=True)


def bert_cased(folder: Path) -> None:
    word_piece(folder, do_lower_case=False)


def bert_chinese(folder: Path) -> None:
    """As bert-base-chinese: tokenizer.json lower-cases, tokenizer_config.json says it does not."""
    word_piece(folder, do_lower_case=True)
    change_config(folder, do_lower_case=False)


def bert_accents(folder: Path) -> None:
    """Lower case with its accents, ideographs left in their words."""
    word_piece(folder, do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False)


def byte_pairs(special: list[str]) -> Any:
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=3000,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare.train_from_iterator([" ".join(WORDS)] * 2, trainer)
    return bare


def roberta(folder: Path) -> None:
    model = json.loads(byte_pairs(ANGLE_TOKENS).to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    made: Any = transformers.RobertaTokenizer
    made(vocab=model["vocab"], merges=merges, model_max_length=512).save_pretrained(folder)


def roberta_prefix_space(folder: Path) -> None:
    """A tokenizer.json without a space before the first word, a configuration with one."""
    roberta(folder)
    change_config(folder, add_prefix_space=True)


def modern_bert(folder: Path, pre_tokenizer: Any = None) -> None:
    """NFC, GPT-2's pattern, runs of spaces as added tokens, a mask that eats the space before."""
    special = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"]
    bare = byte_pairs(special)
    bare.normalizer = normalizers.NFC()
    bare.pre_tokenizer = pre_tokenizer or pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, bare.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    runs = [AddedToken(" " * length, normalized=True) for length in range(2, 25)]
    names = [AddedToken("|||IP_ADDRESS|||"), AddedToken("|||EMAIL_ADDRESS|||")]
    bare.add_tokens([*names, *runs])
    bare.add_special_tokens([AddedToken("[MASK]", lstrip=True, special=True)])
    names_of = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    wrap(bare, names_of).save_pretrained(folder)


def modern_bert_split(folder: Path) -> None:
    """The same, its pattern in a Split of its own before the bytes."""
    steps = [
        pre_tokenizers.Split(Regex(GPT2_PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    modern_bert(folder, pre_tokenizers.Sequence(steps))


@functools.cache
def sentence_pieces() -> bytes:
    """A model of SentencePiece with nmt_nfkc, as XLM-R and DeBERTa-v3 have it."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS),
        model_writer=model,
        vocab_size=2000,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    return model.getvalue()


def charsmap() -> bytes:
    """The normaliser of `sentence_pieces`."""
    read: Any = sentencepiece_model_pb2
    spec = read.ModelProto.FromString(sentence_pieces()).normalizer_spec
    return bytes(spec.precompiled_charsmap)


def unigrams(special: list[str], last: list[str]) -> list[tuple[str, float]]:
    words = [f"▁{piece}" for piece in pieces()] + pieces()
    scored = [(character, -9.0 - i % 7 / 8) for i, character in enumerate(characters())]
    scored += [(piece, -8.0 - len(piece) / 16) for piece in words] + [("▁", -3.0)]
    taken = dict.fromkeys([*special, *last])
    return [
        *((token, 0.0) for token in special),
        *{piece: score for piece, score in scored if piece not in taken}.items(),
        *((token, 0.0) for token in last),
    ]


def xlm_roberta(folder: Path) -> None:
    made: Any = transformers.XLMRobertaTokenizer
    made(
        vocab=unigrams(ANGLE_TOKENS[:4], ["<mask>"]),
        _spm_precompiled_charsmap=charsmap(),
        model_max_length=512,
    ).save_pretrained(folder)


def xlm_roberta_of_sentencepiece(folder: Path) -> None:
    """SentencePiece's own file alone, which transformers converts when it loads the folder."""
    (folder / "sentencepiece.bpe.model").write_bytes(sentence_pieces())
    config = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")


def deberta_v3(folder: Path) -> None:
    made: Any = transformers.DebertaV2Tokenizer
    vocabulary = unigrams(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"])
    made(vocab=vocabulary, unk_id=3, model_max_length=512).save_pretrained(folder)


def deberta_v3_of_transformers_4(folder: Path) -> None:
    """The parts that transformers 4 converted it to, which files on the hub have."""
    bare = Tokenizer(models.Unigram(unigrams(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], []), unk_id=3))
    bare.normalizer = normalizers.Sequence(
        [
            normalizers.Strip(),
            normalizers.Precompiled(charsmap()),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    bare.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace()])
    bare.decoder = decoders.Metaspace()
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    bare.add_special_tokens(
        ["[PAD]", "[CLS]", "[SEP]", AddedToken("[UNK]", normalized=True), "[MASK]"]
    )
    names = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    wrap(bare, names).save_pretrained(folder)


def wrap(bare: Any, names: dict[str, str]) -> Any:
    made: Any = PreTrainedTokenizerFast
    tokens = {f"{name}_token": token for name, token in names.items()}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return made(tokenizer_object=bare, model_max_length=512, model_input_names=inputs, **tokens)


def change_config(folder: Path, **fields: Any) -> None:
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **fields}), "utf-8")


FAMILIES: dict[str, Callable[[Path], None]] = {
    "bert-uncased": bert_uncased,
    "bert-cased": bert_cased,
    "bert-base-chinese": bert_chinese,
    "bert-accents": bert_accents,
    "roberta": roberta,
    "roberta-prefix-space": roberta_prefix_space,
    "xlm-roberta": xlm_roberta,
    "xlm-roberta-of-sentencepiece": xlm_roberta_of_sentencepiece,
    "deberta-v3": deberta_v3,
    "deberta-v3-of-transformers-4": deberta_v3_of_transformers_4,
    "modernbert": modern_bert,
    "modernbert-split": modern_bert_split,
}
