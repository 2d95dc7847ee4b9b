"""The CrossEncoderTrainer of sentence-transformers, attached to a running service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers.cross_encoder import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    losses,
)
from torch.nn import functional

from assay import Client
from assay.integrations import Rescored, add_weights, attach, weighted
from assay.integrations.carried import Carried
from by_hand import draws, near
from checkpoints import make_checkpoint
from tiny_pairs import QUIET, read_pairs

Weigh = Callable[[str, list[str]], int]
TEXTS = [["usb c cable", "usb mouse"], ["a usb cable", "a monitor"]]


def cross_encoder(folder: Path, classes: int = 1) -> Any:
    checkpoint = make_checkpoint(folder / "base", "bert", classes)
    return CrossEncoder(str(checkpoint), num_labels=classes, max_length=64, device="cpu")


def trainer_of(model: Any, rows: Any, folder: Path, **options: Any) -> Any:
    args = CrossEncoderTrainingArguments(output_dir=str(folder / "out"), **{**QUIET, **options})
    loss = losses.BinaryCrossEntropyLoss(model)
    return CrossEncoderTrainer(
        model=model, args=args, train_dataset=rows, eval_dataset=rows, loss=loss
    )


def test_the_loss_is_the_mean_of_multiplier_times_loss(tmp_path: Path) -> None:
    model = cross_encoder(tmp_path).eval()
    observed: list[Any] = []
    loss = weighted(losses.BinaryCrossEntropyLoss(model), lambda *seen: observed.append(seen))
    labels = torch.tensor([1.0, 0.0])
    found = loss([*TEXTS, Carried([7, 3], [0.5, 4.0])], labels).detach()

    with torch.no_grad():
        logits = model(model.preprocess(list(zip(*TEXTS, strict=True))))["scores"].view(-1)
    each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    assert float(found) == pytest.approx(float((0.5 * each[0] + 4 * each[1]) / 2))
    # Without multipliers, as in an evaluation, it is the plain loss.
    assert float(loss(TEXTS, labels).detach()) == pytest.approx(float(each.mean()))
    [(rows, seen, given, norms)] = observed
    assert rows == [7, 3]
    assert torch.allclose(seen.detach(), logits)
    assert given is labels or torch.equal(given, labels)
    assert norms.shape == (2,)
    assert weighted(loss) is loss


def test_a_last_column_of_numbers_multiplies(
    tiny_client: Client, weigh_rows: Weigh, tmp_path: Path
) -> None:
    rows = read_pairs(8)
    weigh_rows("columned", rows["id"])
    columned = add_weights(rows, tiny_client, dataset="columned").remove_columns("id")
    model = cross_encoder(tmp_path)
    trainer = trainer_of(model, columned, tmp_path, num_train_epochs=1)
    trainer.loss = weighted(losses.BinaryCrossEntropyLoss(model))
    trainer.eval_dataset = columned
    found = trainer.evaluate()["eval_loss"]
    with torch.no_grad():
        texts = list(zip(rows["query"], rows["document"], strict=True))
        logits = model.eval()(model.preprocess(texts))["scores"].view(-1)
    labels, weights = torch.tensor(rows["label"][:]), torch.tensor(columned["weight"][:])
    each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    assert found == pytest.approx(float((each * weights).mean()), rel=1e-4)


def test_other_losses_of_samples_work_and_those_of_lists_are_refused(tmp_path: Path) -> None:
    three = cross_encoder(tmp_path / "three", 3).eval()
    classes = torch.tensor([2, 0])
    plain = float(losses.CrossEntropyLoss(three)(TEXTS, classes).detach())
    loss = weighted(losses.CrossEntropyLoss(three))
    found = loss([*TEXTS, Carried([0, 1], [1.0, 1.0])], classes).detach()
    assert float(found) == pytest.approx(plain)
    model = cross_encoder(tmp_path / "one")
    assert weighted(losses.MSELoss(model)).model is model
    for unsuitable in (losses.LambdaLoss(model), losses.BinaryCrossEntropyLoss(model)):
        if isinstance(unsuitable, losses.BinaryCrossEntropyLoss):
            unsuitable.bce_with_logits_loss.reduction = "sum"
        with pytest.raises(TypeError, match="does not have one mean over samples"):
            weighted(unsuitable)


def test_a_training_draws_by_hand_and_renews_its_weights(
    tiny_client: Client, weigh_rows: Weigh, tmp_path: Path
) -> None:
    rows = read_pairs(48)
    first = weigh_rows("reranker", rows["id"])
    values = tiny_client.weights(rows["id"], dataset="reranker")
    model = cross_encoder(tmp_path)
    sources = ["clicks" if row % 2 else "judges" for row in range(48)]
    trainer = trainer_of(
        model,
        rows.add_column("origin", sources),
        tmp_path,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        num_train_epochs=2,
        dataloader_num_workers=1,
    )
    live = attach(trainer, tiny_client, dataset="reranker", sources="origin", wait_s=60)
    seen: list[tuple[int, float]] = []
    loss = trainer.loss.forward

    def forward(inputs: Any, labels: Any, **options: Any) -> Any:
        assert len(inputs) == 3  # query, document and Carried: the model sees no id and no source
        carried = inputs[-1]
        texts = [rows[row]["query"] for row in carried.rows]
        assert inputs[0] == texts
        seen.extend(zip(carried.rows, carried.multipliers, strict=True))
        return loss(inputs, labels, **options)

    trainer.loss.forward = forward
    trainer.train()
    expected = draws(list(values), trainer.args.seed, 0, 0, 48)
    assert seen[:48] == near(expected)
    assert len(seen) == 96
    dataset = tiny_client.dataset("reranker")
    assert dataset.snapshot is not None
    assert live.sampler.weights.version == dataset.snapshot.version > first
    trained = {row for row, _ in seen}
    assert dataset.samples_by_source == Counter(sources[row] for row in trained)
    trainer.loss.forward = loss
    assert trainer.evaluate()["eval_loss"] > 0


def test_a_share_is_rescored_by_the_service_with_the_weights_of_the_training(
    tiny_client: Client, tmp_path: Path
) -> None:
    rows = read_pairs(24)
    model = cross_encoder(tmp_path)
    served = tiny_client.model("tiny").version
    trainer = trainer_of(
        model, rows, tmp_path, per_device_train_batch_size=8, num_train_epochs=1, learning_rate=1e-3
    )
    live = attach(
        trainer,
        tiny_client,
        dataset="rescored",
        refresh=Rescored(model="tiny", share=0.5, cost=0),
        wait_s=120,
    )
    trainer.train()
    new = tiny_client.model("tiny")
    assert new.version != served
    assert new.provenance["step"] == 3
    assert live.figures["share_rescored"] == 0.5
    assert live.figures["drawing"] == 1.0
    scored = tiny_client.dataset("rescored")
    assert scored.models == [f"tiny@{new.version}"]
    assert scored.samples == 12
    # Rows that were not scored have the mean weight.
    known = tiny_client.weights(rows["id"], dataset="rescored", fallback=float("nan"))
    assert int(np.isnan(known).sum()) == 12
    assert live.sampler.weights.values[np.isnan(known)] == pytest.approx(np.nanmean(known))
    # The service scores with what was trained.
    pair = {"query": rows[0]["query"], "document": rows[0]["document"]}
    own = model.predict([(pair["query"], pair["document"])], activation_fn=torch.nn.Identity())
    assert tiny_client.score([pair])["logit"][0] == pytest.approx(float(own[0]), abs=0.1)


def test_the_gate_stays_closed_where_scoring_costs_more_than_it_gives(
    tiny_client: Client, tmp_path: Path
) -> None:
    rows = read_pairs(24)
    trainer = trainer_of(cross_encoder(tmp_path), rows, tmp_path, num_train_epochs=1)
    live = attach(
        trainer,
        tiny_client,
        dataset="gated",
        refresh=Rescored(model="tiny", cost=100),
        wait_s=120,
    )
    trainer.train()
    assert live.figures["drawing"] == 0.0
    assert live.figures["tau"] > 1
    assert set(live.sampler.weights.multipliers) == {1.0}


def test_several_datasets_are_refused(tiny_client: Client, tmp_path: Path) -> None:
    rows = read_pairs(4)
    model = cross_encoder(tmp_path)
    args = CrossEncoderTrainingArguments(output_dir=str(tmp_path / "out"), **QUIET)
    loss: Any = losses.BinaryCrossEntropyLoss(model)
    trainer = CrossEncoderTrainer(
        model=model, args=args, train_dataset={"a": rows}, loss={"a": loss}
    )
    with pytest.raises(TypeError, match="no DatasetDict"):
        attach(trainer, tiny_client, dataset="several")
