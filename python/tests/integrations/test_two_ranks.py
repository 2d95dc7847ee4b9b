"""Two processes: DistributedDataParallel and Accelerate, prefetching workers, a resume."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.multiprocessing.spawn import start_processes

from assay import Client
from by_hand import draws, near
from checkpoints import make_checkpoint
from service import Service
from two_ranks import BATCH, SEED, TRAINED, train

N = 200
FIRST = (np.random.default_rng(3).random(N) ** 3 + 0.01).tolist()
SECOND = (np.random.default_rng(4).random(N) ** 3 + 0.01).tolist()
DRAWS = 208  # the next multiple of two batches
Batch = tuple[list[int], list[float]]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory, tiny_service: Service) -> list[Any]:
    """What each rank did."""
    folder = tmp_path_factory.mktemp("ranks")
    # Transformers saves on rank 0 alone.
    make_checkpoint(folder / "base", "bert", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = (str(folder), FIRST, SECOND, port, tiny_service.url)
    start_processes(train, arguments, nprocs=2, start_method="spawn")  # type: ignore[no-untyped-call]
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(2)]


def order_of(ranks: list[list[Batch]], *, by_sample: bool) -> list[tuple[int, float]]:
    """The global order of the ranks' batches, which take turns by sample or by batch."""
    found = []
    for batches in zip(*ranks, strict=True):
        samples = [list(zip(*batch, strict=True)) for batch in batches]
        turns = zip(*samples, strict=True) if by_sample else samples
        found += [sample for turn in turns for sample in turn]
    return found


def test_both_ranks_together_draw_the_order_computed_by_hand(reports: list[Any]) -> None:
    places = {report["place"] for report in reports}
    [(epoch, position)] = places
    assert epoch == 0
    assert position % (2 * BATCH) == 0
    # Rank 0 has two workers that fetch two batches each ahead, and rank 1 none.
    assert position >= (4 + 4) * 2 * BATCH
    expected = draws(FIRST, SEED, 0, 0, position) + draws(SECOND, SEED, 0, position, DRAWS)
    found = order_of([report["batches"] for report in reports], by_sample=True)
    assert found == near(expected)
    assert [report["length"] for report in reports] == [DRAWS // 2] * 2


def test_the_gradient_is_the_unbiased_estimate_of_both_ranks(reports: list[Any]) -> None:
    # The gradient of a linear model is the mean of multiplier × input.
    expected = np.mean([row * m for row, m in draws(FIRST, SEED, 0, 0, 2 * BATCH)])
    assert [report["gradient"] for report in reports] == pytest.approx([expected] * 2, rel=1e-5)


def test_a_resume_goes_on_behind_what_was_trained(reports: list[Any]) -> None:
    for report in reports:
        rest = report["batches"][TRAINED:]
        assert report["resumed"] == rest


def test_accelerate_divides_the_order_once(reports: list[Any]) -> None:
    for epoch in range(2):
        found = order_of([report["accelerate"][epoch] for report in reports], by_sample=False)
        assert found == near(draws(SECOND, SEED, epoch, 0, DRAWS))


def test_a_trainer_on_two_ranks_posts_the_logits_of_both(
    reports: list[Any], tiny_client: Client
) -> None:
    one, other = (report["trainer"] for report in reports)
    # 44 rows make an epoch of 3 × 16 draws, of which each rank gets 24. All rows come first.
    epochs = [[rank["seen"][:24], rank["seen"][24:]] for rank in (one, other)]
    assert {row for rank in epochs for row, _ in rank[0]} == set(range(44))
    assert {m for rank in epochs for _, m in rank[0]} == {1.0}
    assert tiny_client.dataset("two-ranks").samples == 44
    # Both ranks have the same weights and, after the same steps, the same model.
    assert one["weights"] == other["weights"]
    assert len(set(one["weights"][1])) > 1
    assert torch.equal(one["parameters"], other["parameters"])
    # A resume in the second epoch draws its rest, though Accelerate does not tell it the epoch.
    for rank in (one, other):
        assert rank["resumed"] == rank["seen"][32:]
    # The draws of the second epoch carry the multipliers of one snapshot: batches take turns.
    turns = [[rank[1][at : at + 8] for rank in epochs] for at in (0, 8, 16)]
    found = [sample for turn in turns for batch in turn for sample in batch]
    total = tiny_client.weights(one["ids"], dataset="two-ranks", snapshot=1)
    expected = draws(list(total), 42, 1, 0, 48)
    assert found == near(expected)
