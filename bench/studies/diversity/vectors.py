"""Embeddings of 100,000 real pairs, as the shipped model's output `embedding` gives them.

    python bench/studies/diversity/vectors.py DATA OUT.f32 [COUNT]

DATA is a folder with chorus/products.jsonl.gz and chorus/judgments.jsonl. Each product's title is
paired with the queries in turn, so products come up several times, as in a ranker's data. OUT is
(COUNT, 384) float32, little-endian. Only the embedding layer runs.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path

import numpy as np
import torch

from assay.export.restore import restore_folder
from assay.export.texts import Text

BATCH = 256


def pairs(data: Path, count: int) -> list[Text]:
    """COUNT different pairs of a query and a title, in a random order."""
    lines = (data / "judgments.jsonl").read_text().splitlines()
    queries = sorted({json.loads(line)["query"] for line in lines})
    with gzip.open(data / "products.jsonl.gz", "rt") as products:
        titles = sorted({json.loads(line)["title"] for line in products})
    made = [
        Text(queries[(row + turn * 31) % len(queries)], title)
        for turn in range(-(-count // len(titles)))
        for row, title in enumerate(titles)
    ]
    random.Random(1).shuffle(made)
    return made[:count]


def main() -> None:
    data, out = Path(sys.argv[1]) / "chorus", Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    restored = restore_folder(Path("models/default"))
    embeddings = restored.checkpoint.model.bert.embeddings
    texts = pairs(data, count)
    with out.open("wb") as file, torch.no_grad():
        for start in range(0, count, BATCH):
            batch = restored.tokenizer.batch(texts[start : start + BATCH], 256)
            hidden = embeddings(batch["input_ids"], batch["token_type_ids"])
            mask = batch["attention_mask"].unsqueeze(2).float()
            mean = (hidden * mask).sum(1) / mask.sum(1)
            file.write(mean.numpy().astype(np.float32).tobytes())


main()
