"""The shipped model: fine-tuned on every judged query, measured on product matching unseen."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.training.baselines import baseline_scores
from assay.training.calibration import calibration_error, platt, scale_head
from assay.training.crossval import FINE_TUNED, judged_pairs, read_scores
from assay.training.data import read_catalogue, read_judgements, read_offers
from assay.training.finetune import Ends, fit_ends
from assay.training.fit import FitOptions
from assay.training.match import auc_of_offers, offer_pairs
from assay.training.network import save_cross_encoder
from assay.training.provenance import provenance, write_metrics

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
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

    Fine-tuned models are surer of queries they know than of new ones, so the head is scaled to fit
    the out-of-fold scores. The metrics are those of `validation`, the calibration, and AUC on the
    test splits of ZERO_SHOT, which no step before this one reads.

    Raises:
        ValueError: `validation` holds scores of other judgements than `data`.
    """
    started = time.monotonic()
    validated = json.loads((validation / "crossval.json").read_text(encoding="utf-8"))
    mix = float(validated["mix"])
    judgements = read_judgements(data)
    pairs = judged_pairs(judgements)
    ids, folds, answers = read_scores(validation, FINE_TUNED)
    if list(ids) != [judgement.id for judgement in judgements]:
        raise ValueError(f"{validation} holds scores of other judgements than {data}")
    scale = platt(answers, pairs.labels)
    ends = fit_ends(distilled, pairs, options, report)
    model = ends.model_at(mix)
    scale_head(model, scale)
    save_cross_encoder(model, ends.tokenizer, out)
    metrics = {
        "step": "ship",
        "mix": mix,
        "crossval": validated["figures"][FINE_TUNED],
        "calibration": {
            **asdict(scale),
            "error_before": calibration_error(answers, pairs.labels),
            "error_after": calibration_error(
                _scaled_by_other_folds(answers, pairs.labels, folds), pairs.labels
            ),
        },
        "zero_shot_auc": {
            name: _zero_shot(data, base, ends, mix, name, options.seed) for name in ZERO_SHOT
        },
        "seconds": round(time.monotonic() - started),
        "provenance": provenance(
            {
                "chorus/judgments.jsonl": data / "chorus" / "judgments.jsonl",
                "distilled/model.safetensors": distilled / "model.safetensors",
                "crossval.json": validation / "crossval.json",
                "oof.jsonl.gz": validation / "oof.jsonl.gz",
            },
            options.seed,
            asdict(options),
        ),
    }
    write_metrics(out, metrics)
    return metrics


def _scaled_by_other_folds(answers: Floats, labels: Floats, folds: Places) -> Floats:
    """Each fold's scores on the scale that suits the other folds, to measure what scaling does."""
    scaled = np.empty_like(answers)
    for fold in np.unique(folds):
        other = platt(answers[folds != fold], labels[folds != fold])
        scaled[folds == fold] = other.slope * answers[folds == fold] + other.shift
    return scaled


def _zero_shot(
    data: Path, base: Path, ends: Ends, mix: float, name: str, seed: int
) -> dict[str, dict[str, float]]:
    pairs = offer_pairs(read_offers(data, name, "test"))
    corpus = [product.document for product in read_catalogue(data)]
    scores = baseline_scores(base, corpus, pairs.queries, pairs.documents)
    scores[FINE_TUNED] = ends.score(pairs, mix)
    return {scorer: auc_of_offers(pairs, values, seed) for scorer, values in scores.items()}
