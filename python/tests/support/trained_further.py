"""A tiny ranker as a model folder, and its checkpoint after a few steps of training: a program.

For test/system/models.test.ts, which brings the latter into a service that runs the former.

Writes into the folder of its argument: models/tiny, trained/, and expected.json with samples and
PyTorch's logits before and after.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay.export.folder import Options, export_folder
from checkpoints import make_checkpoint

ROOT = Path(__file__).resolve().parents[3]
STEPS = 5


def main(out: Path) -> None:
    torch.manual_seed(1)
    source = make_checkpoint(out / "checkpoint", "bert")
    export_folder(source, out / "models" / "tiny", Options("tiny"))
    lines = (ROOT / "test" / "fixtures" / "pairs.jsonl").read_text("utf-8").splitlines()[:32]
    samples = [
        {key: json.loads(line)[key] for key in ("query", "document", "label")} for line in lines
    ]
    model: Any = AutoModelForSequenceClassification.from_pretrained(source)
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    inputs = tokenizer(
        [s["query"] for s in samples],
        [s["document"] for s in samples],
        padding=True,
        truncation="longest_first",
        max_length=64,
        return_token_type_ids=True,  # left out unless asked for
        return_tensors="pt",
    )
    labels = torch.tensor([float(s["label"]) for s in samples])
    before = logits_of(model, inputs)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    for _ in range(STEPS):
        optimiser.zero_grad()
        logits = model(**inputs).logits[:, 0]
        loss: Any = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
        loss.backward()
        optimiser.step()
    model.save_pretrained(out / "trained")
    expected = {"samples": samples, "before": before, "after": logits_of(model, inputs)}
    (out / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


def logits_of(model: Any, inputs: Any) -> list[float]:
    model.eval()
    with torch.no_grad():
        return [float(logit) for logit in model(**inputs).logits[:, 0]]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
