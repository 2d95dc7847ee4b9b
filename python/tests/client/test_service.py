"""The client and the compiled service."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay import AssayError, AsyncClient, Client
from assay.client import Limits, SampleError, UnknownIdError
from service import Service

Pairs = list[dict[str, Any]]


def test_scores_are_the_services_in_every_division(
    client: Client, service: Service, pairs: Pairs
) -> None:
    whole = service.scores(pairs[:60], ["loss", "grad_norm_last"])
    with Client(service.url, limits=Limits(samples=16, in_flight=3)) as small:
        scores = small.score(pairs[:60], signals=["loss", "grad_norm_last"])
    assert len(scores.requests) > 3
    np.testing.assert_allclose(scores["loss"], [row["loss"] for row in whole], rtol=1e-5)
    np.testing.assert_allclose(
        scores["grad_norm_last"], [row["grad_norm_last"] for row in whole], rtol=1e-5
    )
    assert scores["id"] == [pair["id"] for pair in pairs[:60]]
    again = client.score(pd.DataFrame(pairs[:60]))
    assert again.cache_hits == 60
    assert again.models[0].name == "default"


def test_listwise_losses_of_divided_samples_are_those_of_whole_groups(
    service: Service, pairs: Pairs
) -> None:
    shuffled = [pairs[n] for n in np.random.default_rng(0).permutation(60)]
    whole = service.scores(shuffled, ["loss"], loss="listwise")
    with Client(service.url, limits=Limits(samples=16)) as small:
        scores = small.score(shuffled, loss="listwise", signals=["loss"])
    assert len(scores.requests) > 3
    np.testing.assert_allclose(scores["loss"], [row["loss"] for row in whole], rtol=1e-5)


def test_a_dataset_from_its_scores_to_its_weights_and_its_end(client: Client, pairs: Pairs) -> None:
    ids = [pair["id"] for pair in pairs]
    client.score(pairs, dataset="a shop/1")
    with pytest.raises(AssayError, match="no_weights"):
        client.weights(ids, dataset="a shop/1")
    snapshot = client.weigh("a shop/1", signal="loss", scheme="rank", normalise="mean", clip=3)
    assert (snapshot.version, snapshot.samples) == (1, len(pairs))
    assert snapshot.diagnostics is not None
    assert snapshot.diagnostics.effective_sample_size is not None
    assert snapshot.provenance["weighting"]["clip"] == 3
    weights = client.weights(ids, dataset="a shop/1")
    assert weights.mean() == pytest.approx(1, abs=1e-5)
    assert client.weights([*ids, "unknown"], dataset="a shop/1", fallback=0.5)[-1] == 0.5
    with pytest.raises(UnknownIdError, match="'unknown'"):
        client.weights([*ids, "unknown"], dataset="a shop/1")

    found = client.lookup(["unknown", ids[0]], dataset="a shop/1")
    assert [row and row["id"] for row in found] == [None, ids[0]]
    assert (found.snapshot, found.as_of) == (1, snapshot.as_of)
    sample = client.sample(ids[0], dataset="a shop/1")
    assert sample.weight == pytest.approx(weights[0])
    assert sample.signals["loss"] == found["loss"][1]

    dataset = client.dataset("a shop/1")
    assert dataset.samples == len(pairs)
    assert dataset.snapshot is not None
    assert dataset.snapshot.version == 1
    assert "a shop/1" in [known.dataset for known in client.datasets()]
    client.delete_sample(ids[0], dataset="a shop/1")
    with pytest.raises(AssayError, match="sample_not_found"):
        client.sample(ids[0], dataset="a shop/1")
    client.delete_dataset("a shop/1")
    with pytest.raises(AssayError, match="dataset_not_found"):
        client.dataset("a shop/1")


def test_lists_are_read_to_their_last_page(
    client: Client, pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay.client.operations.datasets.PAGE", "2")
    names = [f"page {n}" for n in range(5)]
    for name in names:
        client.score(pairs[:1], dataset=name)
    assert [d.dataset for d in client.datasets() if d.dataset.startswith("page ")] == names
    for name in names:
        client.delete_dataset(name)


def test_a_dataset_may_keep_hashes_of_its_ids(client: Client, pairs: Pairs) -> None:
    assert client.set_dataset("hashed", hashed_ids=True).hashed_ids
    client.score(pairs[:4], dataset="hashed")
    ids = [pair["id"] for pair in pairs[:4]]
    looked_up = list(client.lookup(ids, dataset="hashed"))
    hashes = {row["kept_id"]: row["id"] for row in looked_up if row is not None}
    listed = list(client.samples("hashed"))
    assert sorted(hashes[sample.id] for sample in listed) == sorted(ids)
    sample = client.sample(ids[2], dataset="hashed")
    assert (sample.id, hashes[sample.kept_id or ""]) == (ids[2], ids[2])
    selected = client.select("hashed", method="top", signal="loss", size=3, exclude=ids[:1])
    assert selected.hashed_ids
    assert sorted(hashes[id] for id in selected.ids) == sorted(ids[1:])
    with pytest.raises(AssayError, match="has samples") as refused:
        client.set_dataset("hashed", hashed_ids=False)
    assert refused.value.code == "dataset_not_empty"
    client.delete_sample(ids[0], dataset="hashed")
    assert client.dataset("hashed").samples == 3
    client.delete_dataset("hashed")


def test_estimates_weigh_what_was_not_drawn_evenly(client: Client) -> None:
    found = client.estimate({"clicked": np.array([True, False])}, inclusion_probabilities=[1, 0.5])
    assert found["clicked"].mean == pytest.approx(1 / 3)
    assert found["clicked"].plain_mean == 0.5
    with pytest.raises(KeyError):
        found["bought"]
    shifted = client.estimate({"x": [1, 3] * 2}, log_p=np.log([1, 3] * 2), log_q=[0] * 4)
    assert shifted["x"].mean == pytest.approx(2.5)
    with pytest.raises(SampleError, match="row 1, clicked: is NaN"):
        client.estimate({"clicked": [1, float("nan")]}, inclusion_probabilities=[1, 1])
    with pytest.raises(AssayError, match="One sample has"):
        client.estimate({"x": [1, 2]}, log_p=[0, 50], log_q=[0, 0])


def test_explanations_say_what_moves_logit_and_loss(client: Client, pairs: Pairs) -> None:
    found = client.explain(pairs[:6])
    assert [explanation.id for explanation in found] == [pair["id"] for pair in pairs[:6]]
    for explanation, pair in zip(found, pairs, strict=False):
        assert explanation.baseline is not None
        assert explanation.baseline.logit is not None
        assert explanation.logit is not None
        change = explanation.logit - explanation.baseline.logit
        moved = sum(piece.contribution or 0 for piece in explanation.pieces)
        assert moved == pytest.approx(change, abs=max(0.02 * abs(change), 0.011))
        first = explanation.pieces[0]
        assert first.text == pair[first.part][first.start : first.end]
        assert first.loss_contribution is not None
    [words] = client.explain([{"text": "red shoe"}], method="occlusion")
    assert [(piece.text, piece.loss_contribution) for piece in words.pieces] == [
        ("red", None),
        ("shoe", None),
    ]
    with pytest.raises(AssayError, match="row 5, label"):
        client.explain([*pairs[:5], pairs[5] | {"label": 9}])


def test_directions_are_made_of_a_stream_and_measured_against(client: Client, pairs: Pairs) -> None:
    made = client.make_direction("validation", pairs[:20], kind="loss_gradient")
    assert (made.samples, made.kind, made.coherence) == (20, "loss_gradient", None)
    assert client.direction("validation") == made
    assert [direction.name for direction in client.directions()] == ["validation"]
    scores = client.score(pairs[:4], signals=["influence"], direction="validation")
    assert np.isfinite(scores["influence"]).all()
    wrong = [*pairs[:5], pairs[5] | {"label": 9}]
    with pytest.raises(AssayError, match="row 5, label: bce takes a label from 0 to 1") as error:
        client.make_direction("validation", wrong, kind="mean_direction")
    assert error.value.faults[0].row == 5
    assert client.direction("validation") == made
    client.delete_direction("validation")
    assert client.directions() == []


def test_the_services_faults_name_the_callers_row(service: Service, pairs: Pairs) -> None:
    frame = pd.DataFrame(pairs).rename(columns={"label": "grade"}).astype({"grade": float})
    frame.loc[33, "grade"] = 7
    refused = pytest.raises(AssayError, match="row 33, grade: bce takes")
    with Client(service.url, limits=Limits(samples=16)) as small, refused as error:
        small.score(frame, label="grade")
    assert error.value.code == "unsuitable_label"
    assert error.value.faults[0].path == "/samples/33/label"


def test_batch_weights_are_those_of_one_request(client: Client, pairs: Pairs) -> None:
    scores = client.score(pairs[:32], weighting={"signal": "loss", "scheme": "rank"})
    assert scores["weight"].sum() == pytest.approx(1)
    assert scores.diagnostics[0].effective_sample_size is not None


def test_models_are_described_and_reloaded(client: Client) -> None:
    models = client.models()
    assert (models.default, models.faulty) == ("default", [])
    model = client.model("default")
    assert model.tokens_max == 256
    assert client.reload_model("default").version == model.version
    with pytest.raises(AssayError, match="model_not_found"):
        client.model("another")


def test_asyncio_scores_several_datasets_at_once(service: Service, pairs: Pairs) -> None:
    async def both() -> list[int]:
        async with AsyncClient(service.url) as client:
            scored = await asyncio.gather(client.score(pairs[:9]), client.score(pairs[9:30]))
            return [len(scores) for scores in scored]

    assert asyncio.run(both()) == [9, 21]
