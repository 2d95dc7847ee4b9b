"""Trains the checkpoints of the study and exports their weights for the shipped model's graphs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from protocol import (
    BATCH,
    FROZEN_LAYERS,
    HEAD_LEARNING_RATE,
    LEARNING_RATE,
    TOKENS_MAX,
    TRAINING_SEED,
    WARMUP,
    Checkpoint,
    checkpoints,
    flip_each_class,
)
from transformers import BertForSequenceClassification

from assay.training.batches import batch_count, length_sorted_batches, shuffled_batches
from assay.training.data import read_offers
from assay.training.network import (
    encode_pairs,
    load_cross_encoder,
    load_tokenizer,
    save_cross_encoder,
)
from service import SHIPPED_FOLDER

Hidden = list[torch.Tensor]  # (T, H) of each pair, float16


def make_checkpoints(name: str, data: Path, base: Path, work: Path) -> None:
    """Train on data set `name` and write the uploads that `work` lacks; raises CalledProcessError
    where an export fails."""
    lacking = [
        made for made in checkpoints() if made.data == name and not upload_of(made, work).exists()
    ]
    if lacking:
        _train_on(name, data, base, work, lacking)


def upload_of(made: Checkpoint, work: Path) -> Path:
    """Where the weights of a checkpoint lie, as PUT /v1/models/{model}/weights takes them."""
    return work / f"{made.name}.weights"


def _train_on(name: str, data: Path, base: Path, work: Path, lacking: list[Checkpoint]) -> None:
    offers = read_offers(data, name, "train")
    clean = np.array([offer.label for offer in offers])
    tokenizer = load_tokenizer(base)
    encoded = encode_pairs(
        tokenizer, [o.query for o in offers], [o.document for o in offers], TOKENS_MAX
    )
    hidden = _frozen_outputs(load_cross_encoder(base, TRAINING_SEED), encoded)
    for flips, epochs in dict.fromkeys((made.flips, made.of) for made in lacking):
        print(f"training on {name}, flips of seed {flips}", file=sys.stderr, flush=True)
        flipped = np.zeros(len(clean), bool) if flips is None else flip_each_class(clean, flips)
        labels = torch.from_numpy(np.where(flipped, 1 - clean, clean)).float()
        due = {made.epochs: made for made in lacking if (made.flips, made.of) == (flips, epochs)}
        model = load_cross_encoder(base, TRAINING_SEED)
        for epoch in _epochs(model, encoded, hidden, labels, epochs):
            if epoch in due:
                with tempfile.TemporaryDirectory() as checkpoint:
                    save_cross_encoder(model, tokenizer, Path(checkpoint))
                    _export(Path(checkpoint), upload_of(due[epoch], work))


def _frozen_outputs(
    model: BertForSequenceClassification, encoded: list[dict[str, list[int]]]
) -> Hidden:
    hidden: dict[int, torch.Tensor] = {}
    with torch.inference_mode():
        for rows, inputs in length_sorted_batches(encoded, BATCH):
            states = model.bert.embeddings(
                input_ids=inputs["input_ids"], token_type_ids=inputs["token_type_ids"]
            )
            bias = _bias(inputs["attention_mask"])
            for layer in model.bert.encoder.layer[:FROZEN_LAYERS]:
                states = layer(states, attention_mask=bias)
            for row, state, mask in zip(rows, states, inputs["attention_mask"], strict=True):
                hidden[int(row)] = state[: int(mask.sum())].half()
    return [hidden[row] for row in range(len(encoded))]


def _epochs(
    model: BertForSequenceClassification,
    encoded: list[dict[str, list[int]]],
    hidden: Hidden,
    labels: torch.Tensor,
    epochs: int,
) -> Iterator[int]:
    """Train in place; yields how many epochs are done."""
    bert: Any = model.bert
    body = list(bert.encoder.layer[FROZEN_LAYERS].parameters())
    head = [*bert.pooler.parameters(), *model.classifier.parameters()]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": LEARNING_RATE}, {"params": head, "lr": HEAD_LEARNING_RATE}],
        fused=True,
    )
    steps = epochs * batch_count(len(encoded), BATCH)
    warm = round(WARMUP * steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (steps - step) / (steps - warm))
    )
    rng = np.random.default_rng(TRAINING_SEED)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for rows, inputs in shuffled_batches(encoded, BATCH, rng):
            states = torch.nn.utils.rnn.pad_sequence([hidden[row] for row in rows], True).float()
            logits = _logits(model, states, _bias(inputs["attention_mask"]))
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels[rows])
            optimiser.zero_grad()
            torch.autograd.backward([loss])
            torch.nn.utils.clip_grad_norm_([*body, *head], 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}: loss {total / len(encoded):.4f}", file=sys.stderr, flush=True)
        yield epoch


def _logits(
    model: BertForSequenceClassification, states: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """(B) logits; the last layer runs at the first token, the only one that the head reads."""
    bert: Any = model.bert
    last = bert.encoder.layer[FROZEN_LAYERS]
    attention = last.attention.self
    heads = attention.num_attention_heads
    query, key, value = (
        linear(of).unflatten(-1, (heads, -1)).transpose(1, 2)
        for linear, of in (
            (attention.query, states[:, :1]),
            (attention.key, states),
            (attention.value, states),
        )
    )
    read = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    first = last.attention.output(read.transpose(1, 2).flatten(-2), states[:, :1])
    first = last.output(last.intermediate(first), first)
    logits: torch.Tensor = model.classifier(bert.pooler(first))[:, 0]
    return logits


def _bias(mask: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, T) what is added to the attention's scores: the least number at padding."""
    return (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min


def _export(checkpoint: Path, upload: Path) -> None:
    of, to = [str(checkpoint), str(SHIPPED_FOLDER)], ["--out", str(upload)]
    subprocess.run([sys.executable, "-m", "assay.export", "weights", *of, *to], check=True)
