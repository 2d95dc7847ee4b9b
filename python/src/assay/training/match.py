"""The recipe pointed at product matching: are two offers the same product?"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from assay.training.baselines import baseline_scores
from assay.training.data import Offers, read_catalogue, read_offers
from assay.training.finetune import MIXES, Pairs, best_f1, choose_mix, fit_ends
from assay.training.fit import FitOptions
from assay.training.measure import Estimate
from assay.training.metrics import auc, bootstrap_by_query, f1, threshold_of_best_f1
from assay.training.network import save_cross_encoder
from assay.training.provenance import provenance, write_metrics

RESAMPLES = 1000


def match(
    data: Path,
    base: Path,
    distilled: Path,
    name: str,
    out: Path,
    options: FitOptions,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Fine-tune `distilled` on the train split of `name`, choose mix and threshold on its valid
    split, measure F1 and AUC on its test split; write the checkpoint and metrics.json to `out`."""
    started = time.monotonic()
    train, valid, test = (
        offer_pairs(read_offers(data, name, split)) for split in ("train", "valid", "test")
    )
    ends = fit_ends(distilled, train, options, report)
    choice = choose_mix(valid, {mix: ends.score(valid, mix) for mix in MIXES}, best_f1)
    scores = ends.score(test, choice.mix)
    save_cross_encoder(ends.model_at(choice.mix), ends.tokenizer, out)
    files = [f"product-matching/{name}-{split}.jsonl.gz" for split in ("train", "valid", "test")]
    metrics = {
        "step": "match",
        "mix": choice.mix,
        "quality": {str(mix): value for mix, value in choice.quality.items()},
        "test": {
            "cross-encoder, fine-tuned": {
                "auc": auc_of_offers(test, scores, options.seed),
                "f1": f1_of_offers(test, scores >= choice.threshold, options.seed),
            },
            **_baselines(data, base, valid, test, options.seed),
        },
        "seconds": round(time.monotonic() - started),
        "provenance": provenance(
            {file: data / file for file in files}
            | {"distilled/model.safetensors": distilled / "model.safetensors"},
            options.seed,
            asdict(options),
        ),
    }
    write_metrics(out, metrics)
    return metrics


def offer_pairs(offers: Sequence[Offers]) -> Pairs:
    """Offers as pairs; a group is all pairs of one left-hand offer."""
    labels = np.array([offer.label for offer in offers], dtype=np.float64)
    queries = [offer.query for offer in offers]
    return Pairs(queries, queries, [offer.document for offer in offers], labels, labels, labels > 0)


def auc_of_offers(pairs: Pairs, scores: np.ndarray, seed: int) -> dict[str, float]:
    """AUC with its interval over left-hand offers."""
    return _interval(pairs, lambda rows: auc(pairs.relevant[rows], scores[rows]), seed)


def f1_of_offers(pairs: Pairs, predicted: np.ndarray, seed: int) -> dict[str, float]:
    """F1 with its interval over left-hand offers."""
    return _interval(pairs, lambda rows: f1(pairs.relevant[rows], predicted[rows]), seed)


def _interval(
    pairs: Pairs, statistic: Callable[[np.ndarray], float], seed: int
) -> dict[str, float]:
    low, high = bootstrap_by_query(pairs.groups, statistic, RESAMPLES, seed)
    return asdict(Estimate(statistic(np.arange(len(pairs.groups))), low, high))


def _baselines(
    data: Path, base: Path, valid: Pairs, test: Pairs, seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """The baselines on the test split, their thresholds chosen on the valid split."""
    corpus = [product.document for product in read_catalogue(data)]
    on_valid = baseline_scores(base, corpus, valid.queries, valid.documents)
    on_test = baseline_scores(base, corpus, test.queries, test.documents)
    return {
        name: {
            "auc": auc_of_offers(test, scores, seed),
            "f1": f1_of_offers(
                test, scores >= threshold_of_best_f1(valid.relevant, on_valid[name]), seed
            ),
        }
        for name, scores in on_test.items()
    }
