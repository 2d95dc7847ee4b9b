"""Tiny checkpoints with random weights: every family, with a tokeniser of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

Exported = tuple[Path, Path]  # the checkpoint and its model folder
Export = Callable[[str, int, str], Exported]  # by family, logits, and precision of the weights

CORPUS = [
    "usb c cable wireless mouse 4k monitor",
    "the quick brown fox 0123456789",
    "蓝牙耳机 苹果",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
CHINESE = "蓝牙耳机苹果手充电器儿童自行车真无线主动降噪续航小时适用于带辅助轮红色"
SIZES: dict[str, Any] = {
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
}
FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert", "deberta-v2")
# What a family's configuration has beside the sizes. A window of 3 hides tokens of short texts.
SETTINGS: dict[str, dict[str, Any]] = {
    "electra": {"embedding_size": 24},
    # as v3 has it, with 8 buckets instead of 256: from distance 5 on, several share one
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
    },
    "modernbert": {
        "classifier_pooling": "mean",
        "global_attn_every_n_layers": 2,
        "local_attention": 6,
    },
}


def make_checkpoint(
    folder: Path, family: str, classes: int = 1, seed: int = 0, noise: float = 1.0, **config: Any
) -> Path:
    """Saves a checkpoint with random weights (LayerNorms and biases too) and its tokeniser.

    `noise` is the share of the tiny checkpoints' noise that is added to the first weights.
    """
    tokenizer = TOKENIZERS[family]()
    classes_of = {
        "bert": (transformers.BertConfig, transformers.BertForSequenceClassification),
        "roberta": (transformers.RobertaConfig, transformers.RobertaForSequenceClassification),
        "xlm-roberta": (
            transformers.XLMRobertaConfig,
            transformers.XLMRobertaForSequenceClassification,
        ),
        "distilbert": (
            transformers.DistilBertConfig,
            transformers.DistilBertForSequenceClassification,
        ),
        "electra": (transformers.ElectraConfig, transformers.ElectraForSequenceClassification),
        "deberta-v2": (
            transformers.DebertaV2Config,
            transformers.DebertaV2ForSequenceClassification,
        ),
        "modernbert": (
            transformers.ModernBertConfig,
            transformers.ModernBertForSequenceClassification,
        ),
    }
    config_class, model_class = classes_of[family]
    settings = {
        **SIZES,
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "num_labels": classes,
        **SETTINGS.get(family, {}),
        **config,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the model's own initialisation draws from the global generator
        model: Any = model_class(config_class(**settings))
    random = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        drawn = torch.randn(parameter.shape, generator=random)  # in place: a table may have 2.4 GB
        parameter.data += drawn.mul_(noise).mul_(0.2 if parameter.dim() == 2 else 0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def word_pieces() -> Any:
    """A BERT tokeniser over letters and Chinese characters."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *CHINESE, *"-,.'é"]
    words += [f"##{letter}" for letter in LETTERS] + ["usb", "cable", "mouse", "wire", "##less"]
    bare = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    bare.normalizer = normalizers.BertNormalizer(lowercase=True)
    bare.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bare.decoder = decoders.WordPiece()
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return _wrapped(bare, _square_names(), ["input_ids", "token_type_ids", "attention_mask"])


def byte_pairs() -> Any:
    """A RoBERTa tokeniser: byte-level BPE, with the padding id 1."""
    bare = _byte_pairs(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    bare.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return _wrapped(bare, _angle_names())


def modern_byte_pairs() -> Any:
    """A ModernBERT tokeniser: byte-level BPE, BERT's special tokens, and the padding id 2."""
    bare = _byte_pairs(["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"])
    bare.normalizer = normalizers.NFC()
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 0), ("[SEP]", 1)],
    )
    return _wrapped(bare, _square_names())


def _byte_pairs(special: list[str]) -> Any:
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet)
    bare.train_from_iterator(CORPUS, trainer)
    return bare


def _unigrams(special: list[str], mask: str) -> Any:
    """Unigrams after four special tokens, whose last is the unknown one."""
    pieces = [*((name, 0.0) for name in special), ("▁", -2.0)]
    pieces += [(letter, -4.0) for letter in LETTERS + CHINESE]
    pieces += [("▁usb", -3.0), ("▁cable", -3.0), ("less", -3.5), (mask, 0.0)]
    bare = Tokenizer(models.Unigram(pieces, unk_id=3))
    bare.normalizer = normalizers.NFKC()
    bare.pre_tokenizer = pre_tokenizers.Metaspace()
    bare.decoder = decoders.Metaspace()
    return bare


def unigrams() -> Any:
    """An XLM-R tokeniser: unigrams over letters and Chinese characters, with Metaspace."""
    bare = _unigrams(["<s>", "<pad>", "</s>", "<unk>"], "<mask>")
    bare.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return _wrapped(bare, _angle_names())


def sentence_pieces() -> Any:
    """A DeBERTa-v3 tokeniser: the unigrams of XLM-R's between BERT's special tokens."""
    bare = _unigrams(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[MASK]")
    bare.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return _wrapped(bare, _square_names(), ["input_ids", "token_type_ids", "attention_mask"])


def _square_names() -> dict[str, str]:
    return {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}


def _angle_names() -> dict[str, str]:
    return {
        "bos": "<s>",
        "eos": "</s>",
        "unk": "<unk>",
        "sep": "</s>",
        "pad": "<pad>",
        "cls": "<s>",
        "mask": "<mask>",
    }


def _wrapped(bare: Any, names: dict[str, str], inputs: list[str] | None = None) -> Any:
    tokens = {f"{name}_token": token for name, token in names.items()}
    make: Any = PreTrainedTokenizerFast
    inputs = inputs or ["input_ids", "attention_mask"]
    return make(tokenizer_object=bare, model_max_length=64, model_input_names=inputs, **tokens)


TOKENIZERS = {
    "bert": word_pieces,
    "roberta": byte_pairs,
    "xlm-roberta": unigrams,
    "distilbert": word_pieces,
    "electra": word_pieces,
    "deberta-v2": sentence_pieces,
    "modernbert": modern_byte_pairs,
}
