"""How well trees rank samples by what is dear to know, against plain signals (docs/learned.md).

    python bench/studies/learned.py URL FOLDER JUDGMENTS.jsonl

URL is a running service that has the model of FOLDER; JUDGMENTS are Chorus pairs with ratings, and
with the ratings of three raters where there are any. A fifth of the queries is the validation set:
targets are the others' influence on its loss, the tangent along its gradient, their gradient norm,
and how far their raters differ.
Every figure is of queries that the trees have not seen.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.learned.fit import Options, fit_trees, split_groups
from assay.learned.folder import read_features, read_folder
from assay.learned.held_out import compare
from assay.learned.samples import Sample
from assay.learned.service import Service, score_samples
from assay.learned.trees import round_features

CHEAP = ["loss", "probability", "grad_norm_last"]
PLAIN = ["loss", "probability", "entropy", "grad_norm_last", "grad_norm", "sensitivity"]
ALONG = ["influence", "tangent"]
RESIDUAL = "p − y, no signal of the service"
RELEVANT_FROM = 2
DIRECTION = "learned-study"


def main() -> None:
    """Prints three tables in Markdown."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("judgments", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    options = Options(threads=given.threads)
    rows = [json.loads(line) for line in given.judgments.read_text("utf-8").rstrip("\n").split("\n")]
    samples = [_sample(row, n + 1) for n, row in enumerate(rows)]
    validation = set(split_groups([row["group"] for row in rows], 5, 5)[0].tolist())
    service = Service(given.url)
    _put_direction(given.url, [samples[n] for n in sorted(validation)])

    kept = [n for n in range(len(samples)) if n not in validation]
    trained = [samples[n] for n in kept]
    asked = {"signals": [*PLAIN, *ALONG], "direction": DIRECTION}
    scores = score_samples(service, trained, asked).rows
    columns = {name: np.array([row[name] for row in scores]) for name in [*PLAIN, *ALONG]}
    labels = np.array([sample.fields["label"] for sample in trained])
    columns[RESIDUAL] = columns["probability"] - labels
    features = round_features(
        read_features(read_folder(given.folder), [sample.text for sample in trained])
    )
    groups = [str(sample.fields["group"]) for sample in trained]
    print(f"{len(trained)} pairs of {len(set(groups))} queries; {len(validation)} in the direction")
    for target in (*ALONG, "grad_norm"):
        _table(target, columns[target], columns, features, groups, options)
    raters = [rows[n].get("raters") for n in kept]
    rated = np.flatnonzero([bool(r) for r in raters])
    _table(
        "spread of raters",
        np.array([max(raters[n]) - min(raters[n]) for n in rated], dtype=float),
        {name: column[rated] for name, column in columns.items()},
        features[rated],
        [groups[n] for n in rated],
        options,
    )


def _sample(row: dict[str, Any], line: int) -> Sample:
    fields = {key: row[key] for key in ("id", "group", "query", "document")}
    return Sample({**fields, "label": int(row["rating"] >= RELEVANT_FROM)}, line)


def _put_direction(url: str, samples: list[Sample]) -> None:
    body = "".join(json.dumps(sample.request) + "\n" for sample in samples).encode()
    request = urllib.request.Request(
        f"{url}/v1/directions/{DIRECTION}?kind=loss_gradient",
        data=body,
        method="PUT",
        headers={"content-type": "application/x-ndjson"},
    )
    with urllib.request.urlopen(request) as answer:
        print(answer.read().decode().splitlines()[-1])


def _matrix(
    columns: dict[str, npt.NDArray[np.float64]],
    names: list[str],
    features: npt.NDArray[np.float32] | None,
) -> npt.NDArray[np.float32]:
    signals = np.stack([columns[name] for name in names], axis=1).astype(np.float32)
    return signals if features is None else np.concatenate([features, signals], axis=1)


def _table(
    target_name: str,
    target: npt.NDArray[np.float64],
    columns: dict[str, npt.NDArray[np.float64]],
    features: npt.NDArray[np.float32],
    groups: list[str],
    options: Options,
) -> None:
    """Spearman and nDCG of each score with its 95% interval over queries."""
    variants = {
        "learned: h, loss, probability, grad_norm_last": (CHEAP, features),
        "learned: the same without h": (CHEAP, None),
    }
    if target_name != "grad_norm":
        variants["learned: h, all of these and grad_norm"] = ([*CHEAP, "grad_norm"], features)
    plain = {name: columns[name] for name in [*PLAIN, RESIDUAL] if name != target_name}
    scores = {
        name: fit_trees(_matrix(columns, names, own), target, groups, options).held_out
        for name, (names, own) in variants.items()
    }
    found = compare(target, {**scores, **plain}, groups, 0)
    print(f"\n| score | Spearman with {target_name} | nDCG of the top tenth | first row's gain |")
    print("| --- | --- | --- | --- |")
    for name, figures in found.items():
        cells = [_cell(figures.get(key)) for key in ("spearman", "ndcg", "gain")]
        print(f"| {name} | {' | '.join(cells)} |")


def _cell(figure: dict[str, float | None] | None) -> str:
    if figure is None or figure["value"] is None:
        return ""
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


if __name__ == "__main__":
    main()
