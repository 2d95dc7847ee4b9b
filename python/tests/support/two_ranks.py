"""What each of two ranks does with the sampler; run in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from assay.integrations import ImportanceSampler, RowWeights, WeightedDataset, weighted_mean

BATCH = 8
SEED = 5
TAKEN_UP_AFTER = 4  # batches
TRAINED = 9  # batches at the time of the checkpoint


def train(
    rank: int, folder: str, first: list[float], second: list[float], port: int, url: str
) -> None:
    """Trains under DistributedDataParallel with a resume, under Accelerate, and with a Trainer."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    distributed.init_process_group("gloo")
    old = RowWeights.read(first, 1, "draw")
    new = RowWeights.read(second, 2, "draw")
    rows = [{"x": float(row)} for row in range(len(first))]
    sampler = ImportanceSampler(old, seed=SEED, batch=2 * BATCH)
    report: dict[str, Any] = {"length": len(sampler), "batches": []}
    model = DistributedDataParallel(nn.Linear(1, 1, bias=False))
    # Ranks prefetch differently far.
    loader = _loader(rows, sampler, workers=2 if rank == 0 else 0)
    for number, batch in enumerate(loader):
        report["batches"].append((batch["row"].tolist(), batch["weight"].tolist()))
        if number == 0:
            outputs = model(batch["x"][:, None].float())[:, 0]
            torch.autograd.backward(weighted_mean(outputs, batch["weight"]))
            report["gradient"] = float(model.module.weight.grad)
        if number + 1 == TAKEN_UP_AFTER:
            report["place"] = tuple(sampler.take_up(new, step=2 * BATCH))
        if number + 1 == TRAINED:
            state = sampler.state_dict()

    resumed = ImportanceSampler(RowWeights.equal(len(first)), batch=2 * BATCH)
    resumed.load_state_dict(state)
    resumed.set_epoch(0, start=TRAINED * 2 * BATCH)
    report["resumed"] = [
        (batch["row"].tolist(), batch["weight"].tolist()) for batch in _loader(rows, resumed, 1)
    ]
    report["accelerate"] = _under_accelerate(rows, new)
    report["trainer"] = _with_trainer(Path(folder), url)
    torch.save(report, Path(folder) / f"{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def _under_accelerate(rows: list[Any], weights: RowWeights) -> list[Any]:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    sampler = ImportanceSampler(weights, seed=SEED, batch=2 * BATCH)
    loader = accelerator.prepare(_loader(rows, sampler, 0))
    epochs = []
    for _ in range(2):
        epochs.append([(batch["row"].tolist(), batch["weight"].tolist()) for batch in loader])
    return epochs


def _with_trainer(folder: Path, url: str) -> dict[str, Any]:
    from assay import Client
    from assay.integrations import attach
    from tiny_pairs import read_pairs, tiny_trainer, trained_rows

    rows = read_pairs(44)
    options: dict[str, Any] = {"num_train_epochs": 2, "save_strategy": "steps", "save_steps": 4}

    def attached() -> tuple[Any, Any, list[tuple[int, float]]]:
        trainer = tiny_trainer(folder, rows, per_device_train_batch_size=8, **options)
        live = attach(trainer, client, dataset="two-ranks", loss="bce", wait_s=60)
        return trainer, live, trained_rows(trainer)

    with Client(url) as client:
        trainer, live, seen = attached()
        first = live.sampler.weights
        trainer.train()
        again, _, resumed = attached()
        again.train(resume_from_checkpoint=str(folder / "out" / "checkpoint-4"))
    weights = [w.values.tolist() for w in (first, live.sampler.weights)]
    parameters = torch.cat([p.detach().flatten() for p in trainer.model.parameters()])
    report = {"seen": seen, "resumed": resumed, "weights": weights, "parameters": parameters}
    return {**report, "ids": rows["id"][:]}


def _loader(rows: list[Any], sampler: ImportanceSampler, workers: int) -> Any:
    data = WeightedDataset(rows, rows=True)
    # A process that was spawned spawns its own too, and each of those would import torch anew.
    how = "fork" if workers else None
    return DataLoader(
        data, batch_size=BATCH, sampler=sampler, num_workers=workers, multiprocessing_context=how
    )
