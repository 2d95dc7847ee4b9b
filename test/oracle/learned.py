"""Trees for the shipped model and what they say: learned/learned.onnx and learned/learned.json.

`python test/oracle/learned.py` makes both again. It trains through `assay.learned.train`, as a user
does, towards an invented target; LightGBM's trees differ from version to version, so no check holds
the files to it. The cases are recomputed here from texts, labels and extras, by NumPy in float64.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.export.texts import builtin_pairs
from assay.learned.fit import Options
from assay.learned.folder import ModelFolder, batches, pad, read_folder, tokenise
from assay.learned.inputs import Extra, Inputs, fill_matrix
from assay.learned.samples import Sample
from assay.learned.service import Scores
from assay.learned.train import Task, train
from assay.learned.trees import round_features, run_trees

SHIPPED = Path(__file__).parents[2] / "models" / "default"
OUT = Path(__file__).parent / "learned"
SIGNALS = ["loss", "entropy", "grad_norm_last"]
OPTIONS = Options(seed=3, threads=1, trees_max=40, leaves=7, learning_rate=0.2)
CASES = 24


def main() -> None:
    """Writes both files."""
    samples = _samples()
    with tempfile.TemporaryDirectory() as scratch:
        folder = read_folder(Path(shutil.copytree(SHIPPED, Path(scratch) / "default")))
        logits, features = _outputs(folder, samples)
        rows = _signals(samples, logits, features)
        task = Task("gain", SIGNALS, options=OPTIONS)
        entry = train(folder, samples, Scores(rows, "bce", folder.version), task)
        OUT.mkdir(exist_ok=True)
        shutil.copyfile(folder.path / "learned.onnx", OUT / "learned.onnx")
        part = read_folder(folder.path).manifest["learned"]
        file = read_folder(folder.path).manifest["files"]["learned.onnx"]
    extras = [Extra(extra["name"], extra["optional"]) for extra in entry["inputs"]["extras"]]
    inputs = Inputs(features.shape[1], SIGNALS, extras)
    matrix = fill_matrix(inputs, features, rows, samples)
    expected = run_trees((OUT / "learned.onnx").read_bytes(), matrix)
    steady = _steady(matrix, inputs, expected)
    cases = [
        {**samples[n].request, "learned": float(expected[n])}
        for n in np.flatnonzero(steady)[:CASES]
    ]
    document = {"part": part, "file": file, "cases": cases}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (OUT / "learned.json").write_text(text, encoding="utf-8")


def _samples() -> list[Sample]:
    """The exporter's pairs with labels and extras; every fourth lacks `clicks`."""
    rng = np.random.default_rng(11)
    samples = []
    for n, text in enumerate(builtin_pairs()):
        extras = {"price": round(float(rng.lognormal()), 3)}
        if n % 4:
            extras["clicks"] = int(rng.integers(0, 9))
        fields = {
            "id": f"p{n}",
            **text.entry(),
            "label": int(rng.integers(2)),
            "extras": extras,
            "gain": extras["price"] - 0.3 * extras.get("clicks", 5) + float(rng.normal()),
        }
        samples.append(Sample(fields, n + 1))
    return samples


def _outputs(
    folder: ModelFolder, samples: list[Sample]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Logits (N) and features (N, H)."""
    import onnxruntime  # after assay, which turns its telemetry off

    session = onnxruntime.InferenceSession(str(folder.path / "forward.onnx"))
    tokens = tokenise(folder, [sample.text for sample in samples])
    logits = np.empty(len(samples))
    features = np.empty((len(samples), folder.features), dtype=np.float32)
    for rows in batches([len(ids) for ids, _ in tokens]):
        answer = session.run(["logits", "features"], pad(folder, [tokens[row] for row in rows]))
        logits[rows], features[rows] = answer[0][:, 0], answer[1]
    return logits, features


def _signals(
    samples: list[Sample], logits: npt.NDArray[np.float64], features: npt.NDArray[np.float32]
) -> list[dict[str, Any]]:
    """Loss (bce), entropy and grad_norm_last of each sample, as DESIGN.md defines them."""
    labels = np.array([sample.fields["label"] for sample in samples])
    p = 1 / (1 + np.exp(-logits))
    norms = np.sqrt(np.square(features, dtype=np.float64).sum(axis=1) + 1)
    columns = {
        "loss": np.logaddexp(0, logits) - labels * logits,
        "entropy": np.logaddexp(0, logits) - p * logits,
        "grad_norm_last": np.abs(p - labels) * norms,
    }
    return [
        {"id": sample.fields["id"], **{name: float(column[n]) for name, column in columns.items()}}
        for n, sample in enumerate(samples)
    ]


def _steady(
    matrix: npt.NDArray[np.float32], inputs: Inputs, expected: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Whether a rounding error of another machine leaves a sample in its leaves (N)."""
    content = (OUT / "learned.onnx").read_bytes()
    steady = np.ones(len(matrix), dtype=bool)
    for sign in (-1, 1):
        moved = matrix * np.float32(1 + sign * 2e-5) + np.float32(sign * 2e-5)
        moved[:, : inputs.features] = round_features(moved[:, : inputs.features])
        moved[:, -len(inputs.extras) :] = matrix[:, -len(inputs.extras) :]
        steady &= np.abs(run_trees(content, moved) - expected) < 1e-6
    return steady


if __name__ == "__main__":
    main()
