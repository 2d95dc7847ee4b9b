"""Pairs of the fixture, a tiny BERT for them, and trainers that take a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)

from assay.integrations.carried import COLUMN
from checkpoints import make_checkpoint
from service import ROOT


def read_pairs(count: int) -> Dataset:
    """The first pairs: id, query, document, and the label as a number."""
    lines = (ROOT / "test" / "fixtures" / "pairs.jsonl").read_text("utf-8").splitlines()[:count]
    rows = [json.loads(line) for line in lines]
    columns: dict[str, list[Any]] = {
        name: [row[name] for row in rows] for name in ("id", "query", "document")
    }
    return Dataset.from_dict({**columns, "label": [float(row["label"]) for row in rows]})


def tiny_trainer(folder: Path, rows: Dataset, classes: int = 1, **args: Any) -> Any:
    """A Trainer of a tiny BERT without dropout, on the CPU, without reports."""
    checkpoint = folder / "base"
    if not checkpoint.exists():
        make_checkpoint(checkpoint, "bert", classes)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    if classes > 1:
        rows = rows.map(lambda row: {"label": int(row["label"])}).cast_column(
            "label", rows.features["label"].__class__("int64")
        )
    return Trainer(
        model=model,
        args=TrainingArguments(output_dir=str(folder / "out"), **{**QUIET, **args}),
        train_dataset=rows.map(
            lambda row: tokenizer(row["query"], row["document"], truncation=True, max_length=64)
        ),
        data_collator=DataCollatorWithPadding(tokenizer),
    )


QUIET: dict[str, Any] = {
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "logging_strategy": "no",
}


def trained_rows(trainer: Any) -> list[tuple[int, float]]:
    """A list that gets row and multiplier of each sample whose loss the trainer computes."""
    found: list[tuple[int, float]] = []
    compute_loss = trainer.compute_loss

    def compute(model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        carried = inputs.get(COLUMN)
        if carried is not None:
            found.extend(zip(carried.rows, carried.multipliers, strict=True))
        return compute_loss(model, inputs, *args, **options)

    trainer.compute_loss = compute
    return found
