"""The first step: a cross-encoder learns a teacher's scores on queries from the catalogue."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from assay.training.data import read_catalogue, read_judgements
from assay.training.fit import FitOptions, fit
from assay.training.network import (
    encode_pairs,
    load_cross_encoder,
    load_tokenizer,
    logits,
    save_cross_encoder,
)
from assay.training.provenance import provenance, write_metrics
from assay.training.queries import catalogue_queries
from assay.training.teacher import COVERAGE_WEIGHT, teach

TOKENS_MAX = 96
HELD_OUT_QUERIES = 200  # synthetic queries that measure how well the teacher is imitated


def distil(
    data: Path,
    base: Path,
    out: Path,
    query_count: int,
    options: FitOptions,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Distil a cross-encoder from the bi-encoder in `base` and write it to `out`.

    No judgement is used, and no query equals a judged one, so every fold of a cross-validation may
    start from the result. Logits are trained (mean squared error) to the teacher's score,
    standardised over all pairs. Returns the metrics, also written to metrics.json.
    """
    started = time.monotonic()
    tokenizer = load_tokenizer(base)
    products = read_catalogue(data)
    queries = catalogue_queries(
        products,
        tokenizer.get_vocab(),
        query_count + HELD_OUT_QUERIES,
        options.seed,
        excluded=sorted({judgement.query for judgement in read_judgements(data)}),
    )
    pairs = teach(queries, products, base, tokenizer, options.seed)
    taught_in = time.monotonic() - started
    held = pairs.queries >= query_count
    mean, deviation = float(pairs.scores[~held].mean()), float(pairs.scores[~held].std())
    targets = (pairs.scores - mean) / deviation
    pair_queries = [queries[q] for q in pairs.queries]
    pair_documents = [products[p].document for p in pairs.products]
    encoded = encode_pairs(tokenizer, pair_queries, pair_documents, TOKENS_MAX)
    trained_rows = np.flatnonzero(~held)
    report(f"{len(trained_rows)} pairs of {query_count} queries, taught in {taught_in:.0f} s")

    model = load_cross_encoder(base, options.seed)
    fit(
        model,
        [encoded[row] for row in trained_rows],
        targets[trained_rows],
        torch.nn.functional.mse_loss,
        options,
        report,
    )
    rows = np.flatnonzero(held)
    answers = logits(
        model,
        tokenizer,
        [pair_queries[row] for row in rows],
        [pair_documents[row] for row in rows],
        TOKENS_MAX,
    )
    metrics = {
        "step": "distil",
        "queries": query_count,
        "pairs": len(trained_rows),
        "teacher": {"coverage_weight": COVERAGE_WEIGHT, "mean": mean, "deviation": deviation},
        "held_out": {
            "queries": HELD_OUT_QUERIES,
            "pairs": len(rows),
            "mean_squared_error": float(np.mean((answers - targets[rows]) ** 2)),
            "spearman": float(spearmanr(answers, targets[rows]).statistic),
        },
        "seconds": round(time.monotonic() - started),
        "provenance": provenance(
            {
                "chorus/products.jsonl.gz": data / "chorus" / "products.jsonl.gz",
                "chorus/judgments.jsonl": data / "chorus" / "judgments.jsonl",
                "base/model.safetensors": base / "model.safetensors",
            },
            options.seed,
            asdict(options),
        ),
    }
    save_cross_encoder(model, tokenizer, out)
    write_metrics(out, metrics)
    return metrics
