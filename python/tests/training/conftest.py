"""Tiny fixtures: a catalogue, judgements and a random 1-layer BERT, made on the spot."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

KINDS = ["network cable", "toner cartridge", "notebook case", "memory card", "wireless mouse"]
BRANDS = ["Acme", "Borealis", "Corvid", "Dynamo"]
COLOURS = ["Black", "White", "Grey"]


def catalogue() -> list[dict[str, str]]:
    """120 products: every kind by every brand in six colours and sizes."""
    return [
        {
            "id": f"{k}{b}{c}{size}",
            "title": f"{brand} X{k}{b}{c}{size}0 {kind} {colour}",
            "description": f"{kind} for office and home, size {size}",
            "brand": brand,
        }
        for k, kind in enumerate(KINDS)
        for b, brand in enumerate(BRANDS)
        for c, colour in enumerate(COLOURS)
        for size in (1, 2)
    ]


def judgements() -> list[dict[str, Any]]:
    """Each kind, and each brand with a kind, as a query, judged against ten products."""
    queries = [*KINDS, *(f"{brand} {KINDS[0]}" for brand in BRANDS)]
    return [
        {
            "id": f"q{q}:{product['id']}",
            "group": f"q{q}",
            "query": query,
            "document": f"{product['title']} {product['description']}",
            "rating": (0 if query.split()[-1] not in product["title"] else 2 + q % 2),
        }
        for q, query in enumerate(queries)
        for product in catalogue()[q::12]
    ]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the layout the recipe reads."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "chorus").mkdir()
    (folder / "product-matching").mkdir()
    lines = [json.dumps(row) for row in judgements()]
    (folder / "chorus" / "judgments.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_gzip(folder / "chorus" / "products.jsonl.gz", catalogue())
    titles = [product["title"] for product in catalogue()]
    for name in ("abt-buy", "amazon-google"):
        for split in ("train", "valid", "test"):
            offers = [
                {
                    "id": f"{name}:{split}:{i}",
                    "query": titles[i],
                    "document": titles[i].lower() if i % 3 == 0 else titles[(i + 7) % 120],
                    "label": int(i % 3 == 0),
                }
                for i in range(0, 120, 5)
            ]
            _write_gzip(folder / "product-matching" / f"{name}-{split}.jsonl.gz", offers)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of a random 1-layer BERT of 32 dimensions, with a word vocabulary."""
    folder = tmp_path_factory.mktemp("base")
    text = " ".join(f"{row['title']} {row['description']}" for row in catalogue()).lower()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", *sorted(set(text.split()))]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer(vocab=str(vocabulary), model_max_length=256)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def _write_gzip(path: Path, rows: list[Any]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
