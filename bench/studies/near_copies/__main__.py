"""Which vector of a ranker finds near-copies: what the output `embedding` is (models/README.md).

    python bench/studies/near_copies DATA --out bench/results/FILE.json

DATA is a folder with chorus/ and product-matching/ as assay.training.data reads it. 1,000 distinct
pairs get a near-copy each (copies.py). Vectors are centred by the mean of the 1,000. At the cosine
that finds 95% of the copies, the pairs of two of the 1,000 above it are counted. For comparison:
the same with the Jaccard similarity of the texts' 5-grams. A run that FILE.json has is not done
again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from copies import KINDS, edited
from vectors import VECTORS, Array, vectors_of

from assay.export.restore import Restored, restore_folder
from assay.export.texts import Text
from assay.training.data import read_judgements, read_offers

ROOT = Path(__file__).resolve().parents[3]
PAIRS = 1000
SEEDS = (0, 1, 2)
RECALL = 0.95
GRAM = 5
FILES = {
    "Chorus": "chorus/judgments.jsonl",
    "Amazon-Google": "product-matching/amazon-google-train.jsonl.gz",
}
GRAMS = f"{GRAM}-grams of the text"


def main() -> None:
    """Prints a table in Markdown and writes every figure to --out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "default")
    given = parser.parse_args()
    runs = json.loads(given.out.read_text("utf-8"))["runs"] if given.out.exists() else []
    known = {(run["data"], run["seed"]) for run in runs}
    restored = restore_folder(given.model)
    for name in FILES:
        for seed in SEEDS:
            if (name, seed) not in known:
                print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
                run = _run(restored, _pairs(given.data, name), seed)
                runs.append({"data": name, "seed": seed, **run})
                given.out.write_text(_described(given.data, restored, runs), encoding="utf-8")
    print(_table(runs))


def _pairs(data: Path, name: str) -> list[Text]:
    rows = (
        read_judgements(data) if name == "Chorus" else read_offers(data, "amazon-google", "train")
    )
    return list(dict.fromkeys(Text(row.query, row.document) for row in rows))


def _run(restored: Restored, pairs: list[Text], seed: int) -> dict[str, Any]:
    drawn = random.Random(seed)
    drawn.shuffle(pairs)
    kinds = list(KINDS)
    originals: list[Text] = []
    copies: list[Text] = []
    for text in pairs:
        copy = edited(text, kinds[len(copies) % len(kinds)], drawn)
        if copy is not None and len(copies) < PAIRS:
            originals.append(text)
            copies.append(copy)
    texts = originals + copies
    vectors = vectors_of(restored, texts)
    found = {name: _of_vectors(vectors[name]) for name in VECTORS}
    return {"pairs": len(originals), "found": {**found, GRAMS: _of_grams(texts)}}


def _of_vectors(vectors: Array) -> dict[str, Any]:
    """What the cosine of centred vectors finds, (originals, then their copies; D), and how many
    directions the originals' have: (Σλ)² / Σλ² of their covariance's eigenvalues λ."""
    count = len(vectors) // 2
    centred = vectors - vectors[:count].mean(0)
    values = np.linalg.svd(centred[:count], compute_uv=False) ** 2
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    own, copied = unit[:count], unit[count:]
    return {
        **_counted((own * copied).sum(1), own @ own.T),
        "participation_ratio": float(values.sum() ** 2 / (values**2).sum()),
        "first_component": float(values[0] / values.sum()),
    }


def _of_grams(texts: Sequence[Text]) -> dict[str, Any]:
    grams = [_grams(text) for text in texts]
    count = len(grams) // 2
    to_copies = np.array([_jaccard(grams[row], grams[count + row]) for row in range(count)])
    others = np.zeros((count, count))
    for row in range(count):
        for other in range(row):
            others[row, other] = others[other, row] = _jaccard(grams[row], grams[other])
    return _counted(to_copies, others)


def _grams(text: Text) -> frozenset[str]:
    whole = f"{text.query}\n{text.document}".lower()
    return frozenset(whole[at : at + GRAM] for at in range(len(whole) - GRAM + 1))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both)


def _counted(to_copies: Array, others: npt.NDArray[Any]) -> dict[str, Any]:
    """Similarities of originals and their copies (N), and of originals (N, N)."""
    threshold = float(np.quantile(to_copies, 1 - RECALL, method="lower"))
    pairs = others[np.triu_indices(len(others), 1)]
    kinds = np.arange(len(to_copies)) % len(KINDS)
    return {
        "threshold": threshold,
        "others_over": int((pairs >= threshold).sum()),
        "recall": {
            kind: float((to_copies[kinds == k] >= threshold).mean()) for k, kind in enumerate(KINDS)
        },
    }


def _table(runs: list[dict[str, Any]]) -> str:
    lines = ["| vector | " + " | ".join(f"{name}: others over" for name in FILES) + " |"]
    lines.append("| --- | " + " | ".join("--:" for _ in FILES) + " |")
    for vector in (*VECTORS, GRAMS):
        cells = []
        for name in FILES:
            counts = [run["found"][vector]["others_over"] for run in runs if run["data"] == name]
            cells.append(" / ".join(f"{count:,}" for count in counts))
        lines.append(f"| {vector} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _described(data: Path, restored: Restored, runs: list[dict[str, Any]]) -> str:
    """A JSON object with a run a line."""
    commit = ["git", "rev-parse", "--short=7", "HEAD"]
    head = {
        "format": 1,
        "study": "near_copies",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": subprocess.run(
            commit, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip(),
        "versions": {name: version(name) for name in ("torch", "transformers", "numpy")},
        "weights": restored.manifest["files"]["weights.bin"]["sha256"],
        "data": {
            file: hashlib.sha256((data / file).read_bytes()).hexdigest() for file in FILES.values()
        },
    }
    lines = ",\n".join(json.dumps(_rounded(run)) for run in runs)
    return json.dumps(head, indent=1)[:-2] + f',\n "runs": [\n{lines}\n ]\n}}\n'


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return value


if __name__ == "__main__":
    main()
