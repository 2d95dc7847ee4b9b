"""One call that makes a trainer train on weights of the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch.utils.data import DataLoader

from assay.client import Client
from assay.client.answers.signals import Loss
from assay.integrations.callback import RefreshCallback
from assay.integrations.carried import COLUMN, CarryingCollator, CarryingDataset
from assay.integrations.classification import (
    CarriedLoss,
    SampleLosses,
    loss_of,
    sample_losses_of,
)
from assay.integrations.cross_encoder import weighted
from assay.integrations.live import Batches, Every, LiveWeights
from assay.integrations.refresh import OwnOutputs, Refresh, Rescored
from assay.integrations.row_weights import Use


def attach(
    trainer: Any,
    client: Client,
    *,
    dataset: str,
    ids: str | Iterable[str | int] = "id",
    sources: str | Iterable[str | None] | None = None,
    use: Use = "draw",
    weighting: Mapping[str, Any] | None = None,
    refresh: Refresh | None = OwnOutputs(),  # noqa: B008 - it cannot change
    every: Every = "epoch",
    wait_s: float = 0.0,
    loss: Loss | None = None,
    sample_losses: SampleLosses | None = None,
    fallback: float = 1.0,
) -> LiveWeights:
    """Makes a Trainer of Hugging Face, or a CrossEncoderTrainer, train on a dataset's weights.

    Call it once, after the trainer is made and before it trains. `ids` are the ids of the rows of
    the training set, or the name of their column, which the model does not see. So are `sources`,
    which say where a row came from: a crawl, a click log. `use` says what a weight is: `draw` keeps
    the objective, `multiply` changes it. `weighting` are the options of `Client.weigh`; `smoothing`
    may be a schedule.

    `refresh` says what new weights come from, and None that they stay. They come after each epoch,
    or `every` N steps, in the background: they are taken up between two steps once they are there.
    `wait_s` is how long a step may wait for them; 0: never.

    `loss` is that of a Trainer: by default the one that the model computes itself. With
    `sample_losses`, a function of outputs and labels (B) to losses (B), it is your own. A
    CrossEncoderTrainer has a loss already.

    Raises:
        AssayError: the service refuses. One that does not answer is only warned of.
        TypeError: the trainer's data or loss has no losses of single samples.
    """
    rows = trainer.train_dataset
    if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__") or isinstance(rows, dict):
        raise TypeError(
            f"the training set is a {type(rows).__name__}: draws need rows that can be read by "
            "number (no IterableDataset, no DatasetDict)"
        )
    is_cross_encoder = hasattr(trainer, "loss") and hasattr(trainer, "collect_features")
    names = _column(rows, ids) if isinstance(ids, str) else list(ids)
    if len(names) != len(rows):
        raise ValueError(f"{len(names)} ids for {len(rows)} rows")
    own = [given for given in (ids, sources) if isinstance(given, str)]
    if is_cross_encoder and isinstance(refresh, Rescored) and refresh.samples is None:
        refresh = _with_samples(refresh, trainer, own)
    args = trainer.args
    batch = trainer._train_batch_size * args.world_size
    live = LiveWeights(
        client,
        dataset,
        names,
        use=use,
        weighting=weighting,
        refresh=refresh,
        fallback=fallback,
        sources=_column(rows, sources) if isinstance(sources, str) else sources,
        seed=args.seed if args.data_seed is None else args.data_seed,
        batches=Batches(batch, batch * args.gradient_accumulation_steps),
        shard=False,  # Accelerate does.
        name=f"{dataset}-{args.seed}",
    )
    if is_cross_encoder:
        _attach_cross_encoder(trainer, live, own)
    else:
        _attach_trainer(trainer, live, loss, sample_losses)
    trainer.add_callback(RefreshCallback(live, trainer, every, wait_s))
    return live


def _column(rows: Any, name: str) -> list[Any]:
    """A column of a Hugging Face dataset, or of rows that are mappings.

    Raises:
        ValueError: there is no such column.
    """
    if hasattr(rows, "column_names"):
        if name not in rows.column_names:
            raise ValueError(f"the training set has no column {name!r}, only {rows.column_names}")
        return list(rows[name])
    return [rows[row][name] for row in range(len(rows))]


def _attach_trainer(
    trainer: Any, live: LiveWeights, loss: Loss | None, sample_losses: SampleLosses | None
) -> None:
    if trainer.args.n_gpu > 1:
        raise TypeError(
            "the trainer runs several GPUs in one process (DataParallel): start it with torchrun"
        )
    if trainer.compute_loss_func is not None:
        raise TypeError(
            "the trainer has a compute_loss_func, which gives no losses of single samples: leave "
            "it out, and pass sample_losses to attach"
        )
    if sample_losses is None:
        smoothing = trainer.args.label_smoothing_factor
        sample_losses = sample_losses_of(loss or loss_of(trainer.model.config), smoothing)
    carried_loss = CarriedLoss(
        sample_losses, live.observe if live.observes else None, trainer.model
    )
    compute_loss = trainer.compute_loss

    def compute(model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        carried_loss.carried = inputs.pop(COLUMN, None)
        return compute_loss(model, inputs, *args, **options)

    trainer.compute_loss_func = carried_loss
    trainer.compute_loss = compute
    own = trainer.data_collator
    carrying = trainer._get_collator_with_removed_columns(own, "training")
    trainer.data_collator = CarryingCollator(own, carrying)
    trainer.train_dataset = CarryingDataset(trainer.train_dataset)
    trainer._get_train_sampler = lambda *_: live.sampler


def _attach_cross_encoder(trainer: Any, live: LiveWeights, own: Sequence[str]) -> None:
    if isinstance(trainer.loss, dict):
        raise TypeError("the trainer has a loss for each of several datasets: train on one")
    trainer.loss = weighted(trainer.loss, live.observe if live.observes else None)
    rows = trainer.train_dataset.remove_columns(list(own)) if own else trainer.train_dataset
    for name in own:
        if name in getattr(trainer.eval_dataset, "column_names", ()):
            trainer.eval_dataset = trainer.eval_dataset.remove_columns(name)

    def get_train_dataloader() -> Any:
        args = trainer.args
        loader = DataLoader(
            CarryingDataset(rows),
            batch_size=trainer._train_batch_size,
            sampler=live.sampler,
            collate_fn=CarryingCollator(trainer.data_collator, trainer.data_collator),
            num_workers=args.dataloader_num_workers,
            pin_memory=args.dataloader_pin_memory,
            persistent_workers=args.dataloader_persistent_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
        )
        return trainer.accelerator.prepare(loader)

    trainer.get_train_dataloader = get_train_dataloader


def _with_samples(refresh: Rescored, trainer: Any, own: Sequence[str]) -> Rescored:
    """The texts of a CrossEncoderTrainer's training set: its first two columns, and its label."""
    rows = trainer.train_dataset
    labels = [c for c in trainer.data_collator.valid_label_columns if c in rows.column_names]
    texts = [c for c in rows.column_names if c not in (*labels, *own)]
    if len(texts) != 2 or not labels:
        raise TypeError(f"the columns {rows.column_names} are not two texts and a label")
    query, document, label = rows[texts[0]], rows[texts[1]], rows[labels[0]]
    samples = [
        {"query": q, "document": d, "label": y}
        for q, d, y in zip(query, document, label, strict=True)
    ]
    return Rescored(
        samples, refresh.model, refresh.share, refresh.cost, refresh.tokenizer, refresh.loss
    )
