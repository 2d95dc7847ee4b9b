"""New weights from the service: what is posted or scored, weighed and looked up. Rank 0 runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.client import AssayError, Client
from assay.client.answers.signals import Loss
from assay.client.push.source import Source
from assay.client.weighting import Role
from assay.integrations.look_up import look_up_weights
from assay.integrations.observations import Observations
from assay.integrations.row_weights import RowWeights, Use, drawing_pays
from assay.integrations.schedules import value_at

SIGNAL = "grad_norm_last"
WEIGHTING: Mapping[str, Any] = {"scheme": "proportional", "smoothing": 0.1}


@dataclass(frozen=True)
class OwnOutputs:
    """Posts the logits that the training computed itself: the service runs no model.

    They are those of training mode, with dropout, and each is as old as the sample's last step.
    """

    loss: Loss | None = None  # None: bce for one logit, cross_entropy for several


@dataclass(frozen=True)
class Rescored:
    """Pushes the weights of the model to the service, which scores a share of the samples with it.

    `samples` are the rows of the training set, in their order: mappings with `query` and `document`
    (or `text`) and `label`. A CrossEncoderTrainer has them itself. `share` of them, drawn anew each
    time, are scored; 1: all. `cost` is what scoring one sample costs in forwards of the trainer: 0
    if the service runs on other processors. Between two refreshes, weights of samples that were not
    drawn are those of an older model.
    """

    samples: Sequence[Mapping[str, Any]] | None = None
    model: str = "default"
    share: float = 1.0
    cost: float = 1.0
    tokenizer: Any = None
    loss: Loss | None = None

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}: give a number above 0 and at most 1")


Refresh = OwnOutputs | Rescored


@dataclass(frozen=True)
class Target:
    """Whose weights are made: rows (N) by id, in a dataset of the service, and how."""

    client: Client
    dataset: str
    ids: Sequence[str | int]
    sources: Sequence[str | None] | None
    use: Use
    weighting: Mapping[str, Any]
    fallback: float
    checkpoint: str  # the name of the training, in the dataset's histories


@dataclass(frozen=True)
class At:
    """When in the training: steps of the optimizer, the share done, samples between refreshes."""

    step: int
    done: float
    trained: int


@dataclass(frozen=True)
class Refreshed:
    """New weights, and the figures that say what they are."""

    weights: RowWeights
    figures: dict[str, float]


def post_own_outputs(
    target: Target, refresh: OwnOutputs, seen: Observations, at: At
) -> Callable[[], Refreshed]:
    """The work that posts outputs and weighs the dataset by them."""
    sources = target.sources

    def work() -> Refreshed:
        target.client.observe(
            target.dataset,
            [target.ids[row] for row in seen.rows],
            seen.logits,
            seen.labels,
            checkpoint=(f"{target.checkpoint}-{at.step}", at.step),
            loss=refresh.loss,
            mode="train",
            feature_norms=seen.feature_norms,
            sources=None if sources is None else [sources[row] for row in seen.rows],
        )
        signal = "loss" if seen.feature_norms is None else SIGNAL
        return _weigh(target, signal, at, scored=0, cost=0)

    return work


def push_and_rescore(
    target: Target, refresh: Rescored, source: Source, at: At
) -> Callable[[], Refreshed]:
    """The work that serves a copy of the model, scores a share of the samples, and weighs."""
    samples = refresh.samples
    if samples is None or len(samples) != len(target.ids):
        raise ValueError("Rescored needs samples: the texts of each row, in the order of the rows")
    count = max(1, round(refresh.share * len(target.ids)))
    rows = np.sort(np.random.default_rng(at.step).permutation(len(target.ids))[:count])

    def work() -> Refreshed:
        target.client.push_weights(
            source.model, refresh.model, tokenizer=source.tokenizer, provenance={"step": at.step}
        )
        signal = target.weighting.get("signal", SIGNAL)
        target.client.score(
            [_sample(target, samples[int(row)], int(row)) for row in rows],
            dataset=target.dataset,
            signals=[signal],
            loss=refresh.loss,
            model=refresh.model,
            checkpoint={"name": f"{target.checkpoint}-{at.step}", "step": at.step},
        )
        return _weigh(target, signal, at, scored=count, cost=refresh.cost)

    return work


def _sample(target: Target, sample: Mapping[str, Any], row: int) -> dict[str, Any]:
    named = {} if target.sources is None else {"source": target.sources[row]}
    return {**sample, **named, "id": target.ids[row]}


def _weigh(target: Target, signal: str, at: At, *, scored: int, cost: float) -> Refreshed:
    smoothing = value_at(target.weighting.get("smoothing", 0.0), at.done)
    options = {"signal": signal, **target.weighting, "smoothing": smoothing}
    role: Role = "probability" if target.use == "draw" else "multiplier"
    try:
        snapshot = target.client.weigh(target.dataset, role=role, **options)
    except AssayError as error:
        # Samples that were not drawn may be there without it. All that have logits have a loss.
        if error.code != "unsuitable_signal" or "signal" in target.weighting or signal != SIGNAL:
            raise
        snapshot = target.client.weigh(target.dataset, role=role, **{**options, "signal": "loss"})
    weights = look_up_weights(
        target.client, target.dataset, target.ids, target.use, snapshot.version, target.fallback
    )
    figures = {
        "snapshot": float(snapshot.version),
        "tau": weights.tau,
        "effective_sample_size": weights.effective_sample_size,
        "never_drawn": float(weights.never_drawn),
        "share_rescored": scored / len(target.ids),
        "smoothing": smoothing,
    }
    pays = target.use != "draw" or drawing_pays(
        weights.tau, scored=scored, trained=at.trained, cost=cost
    )
    figures["drawing"] = float(pays and target.use == "draw")
    if not pays:
        weights = RowWeights.equal(len(target.ids), snapshot.version)
    return Refreshed(weights, figures)
