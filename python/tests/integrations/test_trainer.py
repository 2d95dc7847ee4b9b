"""The Trainer of Hugging Face, attached to a running service."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from torch.nn import functional
from transformers import TrainerCallback

from assay import AssayError, Client
from assay.client import Retry
from assay.integrations import ImportanceSampler, RowWeights, attach, linear
from assay.integrations.classification import loss_of, sample_losses_of
from by_hand import draws, near
from fake_service import FakeService, connect
from service import Service
from tiny_pairs import read_pairs, tiny_trainer, trained_rows

Weigh = Callable[[str, list[str]], int]


class Gradients(TrainerCallback):  # type: ignore[misc]
    """Keeps the gradient before each step of the optimizer."""

    def __init__(self) -> None:
        self.found: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.found.append(gradient(given["model"]))


def gradient(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).clone()


@pytest.mark.parametrize(("classes", "loss"), [(1, "bce"), (2, None)])
def test_the_accumulated_gradient_is_that_of_one_batch_by_hand(
    tiny_client: Client, weigh_rows: Weigh, tmp_path: Path, classes: int, loss: Any
) -> None:
    rows = read_pairs(20)
    dataset = f"accumulated-{classes}"
    weigh_rows(dataset, rows["id"])
    # Steps of 3 and 2 batches of 4; a learning rate of 0 leaves the model as it is.
    trainer = tiny_trainer(
        tmp_path,
        rows,
        classes,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=3,
        num_train_epochs=1,
        max_grad_norm=0,
        learning_rate=0.0,
    )
    attach(trainer, tiny_client, dataset=dataset, refresh=None, loss=loss)
    gradients = Gradients()
    trainer.add_callback(gradients)
    seen = trained_rows(trainer)
    trainer.train()

    values = tiny_client.weights(rows["id"], dataset=dataset)
    expected = draws(list(values), trainer.args.seed, 0, 0, 20)
    assert seen == near(expected)
    tokenised = trainer.train_dataset._dataset
    for step, (start, end) in enumerate([(0, 12), (12, 20)]):
        drawn = expected[start:end]
        batch = trainer.data_collator._collate_carried([tokenised[row] for row, _ in drawn])
        labels = batch.pop("labels")
        logits = trainer.model(**batch).logits
        if classes == 1:
            losses = functional.binary_cross_entropy_with_logits(
                logits[:, 0], labels, reduction="none"
            )
        else:
            losses = functional.cross_entropy(logits, labels, reduction="none")
        trainer.model.zero_grad()
        (sum(m * ell for (_, m), ell in zip(drawn, losses, strict=True)) / len(drawn)).backward()
        assert torch.allclose(gradients.found[step], gradient(trainer.model), rtol=1e-4, atol=1e-6)


def test_own_logits_renew_the_weights_each_epoch(
    tiny_client: Client, tiny_service: Service, tmp_path: Path
) -> None:
    rows = read_pairs(48)
    trainer = tiny_trainer(
        tmp_path, rows, per_device_train_batch_size=8, num_train_epochs=3, learning_rate=1e-3
    )
    live = attach(
        trainer,
        tiny_client,
        dataset="renewed",
        loss="bce",
        weighting={"smoothing": linear(0.5, 0.2)},
        wait_s=60,
    )
    seen = trained_rows(trainer)
    trainer.train()
    # The first epoch has every row once, and the others draw.
    assert sorted(row for row, _ in seen[:48]) == list(range(48))
    assert {m for _, m in seen[:48]} == {1.0}
    assert len({m for _, m in seen[48:96]}) > 1
    found = tiny_client.dataset("renewed")
    assert found.samples == 48
    assert found.snapshot is not None
    assert live.sampler.weights.version == found.snapshot.version >= 3
    values = tiny_client.weights(rows["id"], dataset="renewed")
    assert live.sampler.weights.values == pytest.approx(values)
    logged = [entry for entry in trainer.state.log_history if "assay/tau" in entry]
    assert [entry["assay/smoothing"] for entry in logged][:2] == pytest.approx([0.4, 0.3])
    assert logged[0]["assay/tau"] > 1
    sample = tiny_client.sample(rows["id"][0], dataset="renewed")
    assert sample.observed == "train"
    assert "grad_norm_last" in sample.signals
    # Every epoch is in the histories.
    assert sample.history is not None


def test_weights_come_between_steps_too(tiny_client: Client, tmp_path: Path) -> None:
    rows = read_pairs(48)
    trainer = tiny_trainer(tmp_path, rows, per_device_train_batch_size=4, num_train_epochs=1)
    attach(trainer, tiny_client, dataset="between", loss="bce", every=4, wait_s=60)
    seen = trained_rows(trainer)
    trainer.train()
    # Accelerate is one batch ahead, so what came after step 4 begins with batch 6 of 12.
    assert {m for _, m in seen[:20]} == {1.0}
    assert len({m for _, m in seen[20:]}) > 1


def test_an_evaluation_has_the_plain_mean(
    tiny_client: Client, weigh_rows: Weigh, tmp_path: Path
) -> None:
    rows = read_pairs(12)
    weigh_rows("evaluated", rows["id"])
    trainer = tiny_trainer(tmp_path, rows, classes=2)
    plain = trainer.evaluate(trainer.train_dataset)["eval_loss"]
    data = trainer.train_dataset
    attach(trainer, tiny_client, dataset="evaluated", refresh=None)
    assert trainer.evaluate(data)["eval_loss"] == pytest.approx(plain, rel=1e-5)


def test_a_resumed_training_draws_what_the_whole_one_did(
    tiny_client: Client, weigh_rows: Weigh, tmp_path: Path
) -> None:
    rows = read_pairs(40)
    weigh_rows("resumed", rows["id"])
    options: dict[str, Any] = {
        "per_device_train_batch_size": 4,
        "num_train_epochs": 2,
        "save_strategy": "steps",
        "save_steps": 7,
    }

    def run(checkpoint: str | None) -> list[tuple[int, float]]:
        trainer = tiny_trainer(tmp_path, rows, **options)
        attach(trainer, tiny_client, dataset="resumed", refresh=None, loss="bce")
        seen = trained_rows(trainer)
        trainer.train(resume_from_checkpoint=checkpoint)
        return seen

    whole = run(None)
    assert len(whole) == 80
    # The service has other weights by now, and the epoch goes on with those that it began with.
    tiny_client.weigh("resumed", signal="loss", scheme="inverse", smoothing=0.1)
    assert run(str(tmp_path / "out" / "checkpoint-7")) == whole[28:]


def test_a_service_that_is_not_there_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read_pairs(16)
    trainer = tiny_trainer(tmp_path, rows, num_train_epochs=3)
    with Client("http://127.0.0.1:9") as client, caplog.at_level(logging.WARNING, "assay"):
        attach(trainer, client, dataset="nowhere", loss="bce", wait_s=10)
        seen = trained_rows(trainer)
        trainer.train()
    assert {m for _, m in seen} == {1.0}
    said = [record.message for record in caplog.records if record.name == "assay"]
    assert len(said) == 1
    assert said[0].startswith("The weights of nowhere stay as they are: unreachable")


def test_the_last_weights_stand_when_the_service_dies(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = read_pairs(16)
    weights = [{"id": id, "weight": 1 + n} for n, id in enumerate(rows["id"])]
    first = httpx2.Response(
        200, json={"snapshot": 4, "as_of": None, "weight_sum": 1, "results": weights}
    )

    def dead(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    client = connect("sync", FakeService(dead, [first]), retry=Retry(total_s=0))
    trainer = tiny_trainer(tmp_path, rows, num_train_epochs=2)
    with caplog.at_level(logging.WARNING, "assay"):
        live = attach(trainer, client, dataset="dying", loss="bce", wait_s=10)
        trainer.train()
    assert live.sampler.weights.version == 4
    assert live.sampler.weights.values.tolist() == list(range(1, 17))
    assert len([record for record in caplog.records if record.name == "assay"]) == 1


def test_what_cannot_work_is_refused_at_once(tiny_client: Client, tmp_path: Path) -> None:
    rows = read_pairs(4)
    trainer = tiny_trainer(tmp_path, rows)
    trainer.compute_loss_func = print
    with pytest.raises(TypeError, match="pass sample_losses to attach"):
        attach(trainer, tiny_client, dataset="refused")
    trainer.compute_loss_func = None
    with pytest.raises(ValueError, match="3 ids for 4 rows"):
        attach(trainer, tiny_client, dataset="refused", ids=["a", "b", "c"])
    trainer.train_dataset = rows.to_iterable_dataset()
    with pytest.raises(TypeError, match="IterableDataset"):
        attach(trainer, tiny_client, dataset="refused")
    problem = {"code": "unauthorized", "title": "No key", "detail": "send a key", "status": 401}
    locked = FakeService(lambda _: httpx2.Response(401, json=problem))
    with pytest.raises(AssayError, match="send a key"):
        attach(tiny_trainer(tmp_path, rows), connect("sync", locked), dataset="locked")


def test_the_losses_are_those_of_the_models(tmp_path: Path) -> None:
    logits, labels = torch.tensor([[0.5], [-1.0], [2.0]]), torch.tensor([1.0, 0.0, -100.0])
    outputs = {"logits": logits}
    bce = sample_losses_of("bce")(outputs, labels)
    expected = functional.binary_cross_entropy_with_logits(logits[:2, 0], labels[:2])
    assert float(bce.sum() / 2) == pytest.approx(float(expected))
    assert float(bce[2]) == 0
    assert sample_losses_of("mse")(outputs, labels)[:2].tolist() == pytest.approx([0.25, 1.0])
    wide, classes = torch.randn(3, 4), torch.tensor([1, 3, -100])
    smoothed = sample_losses_of("cross_entropy", 0.1)({"logits": wide}, classes)
    mean = functional.cross_entropy(wide, classes, label_smoothing=0.1)
    assert float(smoothed.sum() / 2) == pytest.approx(float(mean))
    with pytest.raises(ValueError, match="only for cross_entropy"):
        sample_losses_of("bce", 0.1)
    with pytest.raises(ValueError, match="compares samples"):
        sample_losses_of("listwise")

    class Config:
        problem_type = None
        num_labels = 1

    assert loss_of(Config()) == "mse"


def test_rows_of_an_unknown_dataset_have_equal_weights(tiny_client: Client, tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, read_pairs(6))
    live = attach(trainer, tiny_client, dataset="unheard-of", loss="bce")
    assert live.sampler.weights.values.tolist() == RowWeights.equal(6).values.tolist()


def test_weights_that_are_to_stay_have_to_be_there(
    tiny_client: Client, tmp_path: Path, weigh_rows: Weigh
) -> None:
    trainer = tiny_trainer(tmp_path, read_pairs(6))
    with pytest.raises(ValueError, match="mistyped was never weighed"):
        attach(trainer, tiny_client, dataset="mistyped", refresh=None, loss="bce")
    with pytest.raises(ValueError, match="mistyped was never weighed"):
        ImportanceSampler.of_dataset(tiny_client, "mistyped", ["a"])
    weigh_rows("others", ["x", "y", "z"])
    with pytest.raises(ValueError, match="a weight for none of the 2 ids, such as 'a'"):
        ImportanceSampler.of_dataset(tiny_client, "others", ["a", "b"])
