"""The shipped model: fine-tuned on every judged query, measured on product matching unseen."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assay.training.baselines import baseline_scores
from assay.training.crossval import FINE_TUNED, judged_pairs
from assay.training.data import read_catalogue, read_judgements, read_offers
from assay.training.finetune import Ends, fit_ends
from assay.training.fit import FitOptions
from assay.training.match import auc_of_offers, offer_pairs
from assay.training.network import save_cross_encoder
from assay.training.provenance import provenance, write_metrics

ZERO_SHOT = ("abt-buy", "amazon-google")


def ship(
    data: Path,
    base: Path,
    distilled: Path,
    validation: Path,
    out: Path,
    options: FitOptions,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Fine-tune `distilled` on all judgements, mixed as `crossval` chose in the folder
    `validation`; write the checkpoint and metrics.json to `out`.

    The metrics are those of `validation` and AUC on the test splits of ZERO_SHOT, which no step
    before this one reads.
    """
    started = time.monotonic()
    validated = json.loads((validation / "crossval.json").read_text(encoding="utf-8"))
    mix = float(validated["mix"])
    pairs = judged_pairs(read_judgements(data))
    ends = fit_ends(distilled, pairs, options, report)
    save_cross_encoder(ends.model_at(mix), ends.tokenizer, out)
    metrics = {
        "step": "ship",
        "mix": mix,
        "crossval": validated["figures"][FINE_TUNED],
        "zero_shot_auc": {
            name: _zero_shot(data, base, ends, mix, name, options.seed) for name in ZERO_SHOT
        },
        "seconds": round(time.monotonic() - started),
        "provenance": provenance(
            {
                "chorus/judgments.jsonl": data / "chorus" / "judgments.jsonl",
                "distilled/model.safetensors": distilled / "model.safetensors",
                "crossval.json": validation / "crossval.json",
            },
            options.seed,
            asdict(options),
        ),
    }
    write_metrics(out, metrics)
    return metrics


def _zero_shot(
    data: Path, base: Path, ends: Ends, mix: float, name: str, seed: int
) -> dict[str, dict[str, float]]:
    pairs = offer_pairs(read_offers(data, name, "test"))
    corpus = [product.document for product in read_catalogue(data)]
    scores = baseline_scores(base, corpus, pairs.queries, pairs.documents)
    scores[FINE_TUNED] = ends.score(pairs, mix)
    return {scorer: auc_of_offers(pairs, values, seed) for scorer, values in scores.items()}
