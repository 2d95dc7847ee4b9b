"""Cross-validation over queries: the fine-tuned model on queries it has not met, and baselines."""

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.training import ranks
from assay.training.baselines import baseline_scores
from assay.training.calibration import calibration_error
from assay.training.data import (
    RATING_MAX,
    RELEVANT_FROM,
    Judgement,
    read_catalogue,
    read_judgements,
    split_by_query,
)
from assay.training.finetune import (
    MIXES,
    Choice,
    Pairs,
    choose_mix,
    fit_ends,
    search_quality,
)
from assay.training.fit import FitOptions
from assay.training.measure import Estimate, Scored, lead, measure
from assay.training.metrics import threshold_of_best_f1
from assay.training.provenance import provenance

DISTILLED = "cross-encoder, distilled"
FINE_TUNED = "cross-encoder, fine-tuned"
Floats = npt.NDArray[np.float64]
Split = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]  # rows to train on, rows to test on


def judged_pairs(judgements: Sequence[Judgement]) -> Pairs:
    """Judgements as pairs: the soft label is rating / 3, the grade is the rating."""
    ratings = np.array([judgement.rating for judgement in judgements], dtype=np.float64)
    return Pairs(
        [judgement.group for judgement in judgements],
        [judgement.query for judgement in judgements],
        [judgement.document for judgement in judgements],
        ratings / RATING_MAX,
        ratings,
        ratings >= RELEVANT_FROM,
    )


def crossval(
    data: Path,
    base: Path,
    distilled: Path,
    out: Path,
    folds: int,
    options: FitOptions,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Cross-validate the step from `distilled` to the shipped model and write crossval.json,
    crossval.md and oof.jsonl.gz (every pair's out-of-fold scores) to `out`.

    A fold's calibration and fine-tuning see the other folds' queries alone. Its mix and every
    scorer's F1 threshold are chosen on the other folds' out-of-fold scores (of models that did see
    this fold's labels, a leak of one number of five); the mix to ship, `mix` in the result, on
    those of all folds.
    """
    started = time.monotonic()
    judgements = read_judgements(data)
    pairs = judged_pairs(judgements)
    corpus = [product.document for product in read_catalogue(data)]
    scores = baseline_scores(base, corpus, pairs.queries, pairs.documents)
    splits = split_by_query(pairs.groups, folds, options.seed)
    by_mix = {mix: np.zeros(len(judgements)) for mix in MIXES}
    for fold, (train, test) in enumerate(splits):
        ends = fit_ends(distilled, pairs.take(train), options, report)
        for mix in MIXES:
            by_mix[mix][test] = ends.score(pairs.take(test), mix)
        report(f"fold {fold + 1} of {folds} fitted")
    choices = [_choose(pairs, by_mix, train) for train, _ in splits]
    scores[DISTILLED] = by_mix[0.0]
    scores[FINE_TUNED] = np.zeros(len(judgements))
    for choice, (_, test) in zip(choices, splits, strict=True):
        scores[FINE_TUNED][test] = by_mix[choice.mix][test]
    scored = {name: _with_thresholds(pairs, values, splits) for name, values in scores.items()}
    rivals = [name for name in scored if name != FINE_TUNED]
    figures = {
        name: measure(pairs.groups, pairs.grades, one, options.seed) for name, one in scored.items()
    }
    leads = {
        name: lead(pairs.groups, pairs.grades, scored[FINE_TUNED], scored[name], options.seed)
        for name in rivals
    }
    chosen = choose_mix(pairs, by_mix, search_quality)
    result = {
        "step": "crossval",
        "mix": chosen.mix,
        "quality": {str(mix): value for mix, value in chosen.quality.items()},
        "folds": [
            {"pairs": len(test), "mix": choice.mix}
            for choice, (_, test) in zip(choices, splits, strict=True)
        ],
        "figures": _as_json(figures),
        "lead_of_fine_tuned": _as_json(leads),
        "calibration_error": {
            name: calibration_error(scores[name], pairs.labels) for name in (DISTILLED, FINE_TUNED)
        },
        "seconds": round(time.monotonic() - started),
        "provenance": provenance(
            {
                "chorus/judgments.jsonl": data / "chorus" / "judgments.jsonl",
                "chorus/products.jsonl.gz": data / "chorus" / "products.jsonl.gz",
                "distilled/model.safetensors": distilled / "model.safetensors",
            },
            options.seed,
            asdict(options),
        ),
    }
    if ranks.rank() == 0:
        out.mkdir(parents=True, exist_ok=True)
        (out / "crossval.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        (out / "crossval.md").write_text(markdown(figures, leads), encoding="utf-8")
        _write_scores(out / "oof.jsonl.gz", judgements, splits, scores)
    return result


def markdown(
    figures: Mapping[str, Mapping[str, Estimate]], leads: Mapping[str, Mapping[str, Estimate]]
) -> str:
    """Two tables: each scorer's figures, and the fine-tuned model's lead over each other one."""
    lines = _table("scorer", figures)
    lines += ["", f"Lead of the {FINE_TUNED}, on the same resampled queries:", ""]
    return "\n".join(lines + _table("over", leads)) + "\n"


def read_scores(
    validation: Path, name: str
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.intp], Floats]:
    """Judgement ids, folds and out-of-fold scores of one scorer, all (pairs,), in the order of the
    judgements, from the folder that `crossval` wrote."""
    with gzip.open(validation / "oof.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return (
        np.array([row["id"] for row in rows]),
        np.array([row["fold"] for row in rows]),
        np.array([row["scores"][name] for row in rows]),
    )


def _table(head: str, rows: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    return [
        f"| {head} | AUC | F1 | nDCG@10 |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {row['auc']} | {row['f1']} | {row['ndcg']} |" for name, row in rows.items()),
    ]


def _as_json(rows: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    return {
        name: {metric: asdict(estimate) for metric, estimate in row.items()}
        for name, row in rows.items()
    }


def _choose(pairs: Pairs, by_mix: Mapping[float, Floats], rows: npt.NDArray[np.intp]) -> Choice:
    of_rows = {mix: values[rows] for mix, values in by_mix.items()}
    return choose_mix(pairs.take(rows), of_rows, search_quality)


def _with_thresholds(pairs: Pairs, scores: Floats, splits: Sequence[Split]) -> Scored:
    predicted = np.zeros(len(scores), dtype=np.bool_)
    for train, test in splits:
        threshold = threshold_of_best_f1(pairs.relevant[train], scores[train])
        predicted[test] = scores[test] >= threshold
    return Scored(scores, predicted)


def _write_scores(
    path: Path,
    judgements: Sequence[Judgement],
    splits: Sequence[Split],
    scores: Mapping[str, Floats],
) -> None:
    fold_of = {int(row): fold for fold, (_, test) in enumerate(splits) for row in test}
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for row, judgement in enumerate(judgements):
            line = {
                "id": judgement.id,
                "group": judgement.group,
                "rating": judgement.rating,
                "fold": fold_of[row],
                "scores": {name: round(float(values[row]), 6) for name, values in scores.items()},
            }
            file.write(json.dumps(line) + "\n")
