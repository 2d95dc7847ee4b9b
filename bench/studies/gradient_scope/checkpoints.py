"""The three checkpoints: the shipped one, its base with a drawn head, and one trained shortly."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from assay.export.families import load_checkpoint
from assay.export.model import Model
from assay.export.restore import restore_folder
from assay.export.tokenizer import load_tokenizer as load_text_tokenizer
from assay.training.batches import shuffled_batches
from assay.training.data import read_offers
from assay.training.network import (
    encode_pairs,
    load_cross_encoder,
    load_tokenizer,
    save_cross_encoder,
)

SHIPPED_FOLDER = Path(__file__).resolve().parents[3] / "models" / "default"
CHECKPOINTS = ("default", "random head", "40 steps")
TOKENS_MAX = 96
TRAINING_TOKENS_MAX = 64
SEED = 1
STEPS, BATCH = 40, 16
LEARNING_RATE, HEAD_LEARNING_RATE = 2e-4, 2e-3


def load(name: str, data: Path, base: Path, work: Path) -> Model:
    """A checkpoint of `CHECKPOINTS`; one that is trained is kept in `work`."""
    if name == "default":
        return replace(restore_folder(SHIPPED_FOLDER).model, tokens_max=TOKENS_MAX)
    folder = work / name.replace(" ", "-")
    if not folder.exists():
        model = load_cross_encoder(base, SEED)
        tokenizer = load_tokenizer(base)
        if name == "40 steps":
            _train(model, tokenizer, data)
        save_cross_encoder(model, tokenizer, folder)
    return Model(load_checkpoint(folder), load_text_tokenizer(folder), TOKENS_MAX, None)


def _train(model, tokenizer, data: Path) -> None:
    """All parameters, on Amazon-Google's training pairs."""
    offers = read_offers(data, "amazon-google", "train")
    queries, documents = ([getattr(o, of) for o in offers] for of in ("query", "document"))
    encoded = encode_pairs(tokenizer, queries, documents, TRAINING_TOKENS_MAX)
    labels = torch.tensor([float(offer.label) for offer in offers])
    head = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    body = [*model.bert.embeddings.parameters(), *model.bert.encoder.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": LEARNING_RATE}, {"params": head, "lr": HEAD_LEARNING_RATE}]
    )
    batches = shuffled_batches(encoded, BATCH, np.random.default_rng(SEED))
    for step in range(STEPS):
        rows, inputs = next(batches)
        logits = model(**inputs).logits[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels[rows])
        optimiser.zero_grad()
        torch.autograd.backward([loss])
        optimiser.step()
        if step % 10 == 0:
            print(f"step {step}: loss {loss.item():.3f}", file=sys.stderr, flush=True)
