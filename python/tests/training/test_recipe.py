"""The whole recipe, step by step, on the tiny fixture."""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from assay.training.baselines import baseline_scores
from assay.training.crossval import crossval, judged_pairs
from assay.training.data import read_judgements, read_offers
from assay.training.distil import distil
from assay.training.fit import FitOptions, fit
from assay.training.match import match, offer_pairs
from assay.training.metrics import auc
from assay.training.network import (
    BASE_PACKAGE,
    encode_pairs,
    load_cross_encoder,
    load_tokenizer,
    packaged_base,
    save_cross_encoder,
)
from assay.training.ship import ship

DISTIL = FitOptions(epochs=3, learning_rate=2e-3, batch=32, seed=1)
TUNE = FitOptions(epochs=1, learning_rate=1e-3, batch=16, seed=1, averaged_from=0.5)


def _quiet(line: str) -> None:
    assert line


@pytest.fixture(scope="module")
def distilled(data: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("distilled")
    distil(data, base, out, 100, DISTIL, _quiet)
    return out


@pytest.fixture(scope="module")
def knowing(data: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose scores rise with the fixture's labels, in place of a distilled one: so
    small a model learns nothing that carries over to new queries."""
    judged = judged_pairs(read_judgements(data))
    offers = offer_pairs(read_offers(data, "abt-buy", "train"))
    tokenizer, model = load_tokenizer(base), load_cross_encoder(base, seed=1)
    encoded = encode_pairs(
        tokenizer,
        [*judged.queries, *offers.queries],
        [*judged.documents, *offers.documents],
        64,
    )
    labels = np.concatenate([judged.labels, offers.labels])
    options = FitOptions(epochs=30, learning_rate=5e-3, batch=32, seed=1)
    fit(model, encoded, labels, torch.nn.functional.mse_loss, options, _quiet)
    out = tmp_path_factory.mktemp("knowing")
    save_cross_encoder(model, tokenizer, out)
    return out


@pytest.fixture(scope="module")
def validated(
    data: Path, base: Path, knowing: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("validated")
    crossval(data, base, knowing, out, 3, TUNE, _quiet)
    return out


def test_distilling_follows_the_teacher_on_queries_held_out(distilled: Path) -> None:
    metrics = json.loads((distilled / "metrics.json").read_text())
    assert metrics["held_out"]["spearman"] > 0.4
    assert metrics["provenance"]["seed"] == 1
    assert len(metrics["provenance"]["inputs"]["chorus/products.jsonl.gz"]) == 64


def test_distilling_again_gives_the_same_metrics(
    data: Path, base: Path, distilled: Path, tmp_path: Path
) -> None:
    again = distil(data, base, tmp_path, 100, DISTIL, _quiet)
    first = json.loads((distilled / "metrics.json").read_text())
    assert again["held_out"] == first["held_out"]
    assert again["teacher"] == first["teacher"]


def test_every_judgement_gets_one_score_out_of_its_fold(data: Path, validated: Path) -> None:
    with gzip.open(validated / "oof.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == [judged.id for judged in read_judgements(data)]
    folds: dict[str, set[int]] = {}
    for row in rows:
        folds.setdefault(row["group"], set()).add(row["fold"])
        assert all(np.isfinite(score) for score in row["scores"].values())
    assert all(len(of_query) == 1 for of_query in folds.values())


def test_the_table_repeats_the_figures_of_the_scores(data: Path, validated: Path) -> None:
    result: dict[str, Any] = json.loads((validated / "crossval.json").read_text())
    with gzip.open(validated / "oof.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    relevant = np.array([row["rating"] >= 2 for row in rows])
    table = (validated / "crossval.md").read_text()
    for name, figures in result["figures"].items():
        scores = np.array([row["scores"][name] for row in rows])
        assert figures["auc"]["value"] == pytest.approx(auc(relevant, scores), abs=1e-4)
        assert f"| {name} | {figures['auc']['value']:.3f} (" in table


def test_the_shipped_checkpoint_loads_and_answers_with_one_logit(
    data: Path, base: Path, knowing: Path, validated: Path, tmp_path: Path
) -> None:
    metrics = ship(data, base, knowing, validated, tmp_path, TUNE, _quiet)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    inputs = tokenizer("network cable", "acme network cable", return_tensors="pt")
    with torch.inference_mode():
        assert model(**inputs).logits.shape == (1, 1)
    assert tokenizer.backend_tokenizer.truncation is None
    assert metrics["calibration"]["slope"] > 0
    assert set(metrics["zero_shot_auc"]) == {"abt-buy", "amazon-google"}
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics


def test_matching_is_measured_on_the_test_split_against_baselines(
    data: Path, base: Path, knowing: Path, tmp_path: Path
) -> None:
    metrics = match(data, base, knowing, "abt-buy", tmp_path, TUNE, _quiet)
    assert set(metrics["test"]) == {
        "cross-encoder, fine-tuned",
        "TF-IDF",
        "BM25",
        "MiniLM bi-encoder",
    }
    for figures in metrics["test"].values():
        assert 0 <= figures["f1"]["low"] <= figures["f1"]["value"] <= figures["f1"]["high"] <= 1
    assert (tmp_path / "model.safetensors").exists()


def test_a_missing_base_package_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay.training.network.BASE_PACKAGE", "no_such_base")
    with pytest.raises(FileNotFoundError, match="pip install no-such-base"):
        packaged_base()


@pytest.mark.skipif(find_spec(BASE_PACKAGE) is None, reason=f"{BASE_PACKAGE} is not installed")
def test_the_packaged_base_puts_synonyms_near_each_other() -> None:
    queries, documents = ["ethernet lead"] * 2, ["network cable", "coffee"]
    near, far = baseline_scores(packaged_base(), documents, queries, documents)["MiniLM bi-encoder"]
    assert near > far + 0.2
