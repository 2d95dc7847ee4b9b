"""A tiny BERT with random weights, and the pairs of a JSONL file, so that examples need no network.

Real trainings start from a checkpoint: CrossEncoder("cross-encoder/ms-marco-MiniLM-L6-v2").
"""

import argparse
import json
import re
from pathlib import Path

import torch
from datasets import Dataset
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def read_pairs(path):
    """The samples of a JSONL file: id, query, document, label."""
    with open(path, encoding="utf-8-sig") as lines:
        rows = [json.loads(line) for line in lines]
    names = ("id", "query", "document", "label")
    pairs = Dataset.from_dict({name: [row[name] for row in rows] for name in names})
    return pairs.cast_column("label", pairs.features["label"].__class__("float32"))


def make_tiny_bert(pairs, folder):
    """Saves a BERT of two layers and one logit, whose tokeniser knows the words of the pairs."""
    torch.manual_seed(0)
    texts = " ".join([*pairs["query"], *pairs["document"]]).lower()
    words = [*SPECIAL, *sorted(set(re.findall(r"\w+|[^\w\s]", texts)))]
    Path(folder).mkdir(parents=True, exist_ok=True)
    (Path(folder) / "vocab.txt").write_text("\n".join(words), "utf-8")
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    config = BertConfig(vocab_size=len(words), num_labels=1, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(Path(folder) / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def read_arguments(description):
    """The arguments of an example."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", help="JSONL of samples: id, query, document, label")
    parser.add_argument("--out", default="out", help="folder of checkpoints")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--dataset", default="train")
    parser.add_argument("--epochs", type=int, default=3)
    return parser.parse_args()
