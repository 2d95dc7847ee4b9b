"""The training loop: AdamW with a warm-up, a linear decay and the mean of the late weights."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertForSequenceClassification

from assay.training import ranks
from assay.training.batches import Encoded, batch_count, shuffled_batches

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # logits (B,), targets (B,) → scalar


@dataclass(frozen=True)
class FitOptions:
    """How to train. `averaged_from` is the share of the steps after which weights are averaged;
    1 keeps the last weights."""

    epochs: int
    learning_rate: float
    batch: int
    seed: int
    warmup: float = 0.05
    weight_decay: float = 0.01
    gradient_norm_max: float = 1.0
    averaged_from: float = 1.0


def fit(
    model: BertForSequenceClassification,
    encoded: Sequence[Encoded],
    targets: npt.NDArray[np.float64],
    loss: Loss,
    options: FitOptions,
    report: Callable[[str], None],
) -> None:
    """Train `model` in place on pairs and their targets (pairs,).

    The word embeddings stay as they are: the words of a query that no training query has keep
    their place beside the words that training moved. Raises FloatingPointError on a loss that is
    not finite.
    """
    model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(
        trained, lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
    steps = options.epochs * batch_count(len(encoded), options.batch)
    warm = max(1, round(options.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm, (steps - step) / max(1, steps - warm))
    )
    wanted = torch.from_numpy(targets).float()
    rng = np.random.default_rng(options.seed)
    average = torch.optim.swa_utils.AveragedModel(model)
    averaged_from = round(options.averaged_from * steps)
    model.train()
    step, recent = 0, 0.0
    for _ in range(options.epochs):
        for rows, inputs in shuffled_batches(encoded, options.batch, rng):
            value = batch_gradients(model, trained, inputs, wanted[rows], loss)
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss is {value} at step {step}")
            torch.nn.utils.clip_grad_norm_(trained, options.gradient_norm_max)
            optimiser.step()
            schedule.step()
            recent = value if step == 0 else 0.98 * recent + 0.02 * value
            if step >= averaged_from:
                average.update_parameters(model)
            step += 1
            if step % 200 == 0:
                report(f"step {step} of {steps}, loss {recent:.4f}")
    if averaged_from < steps:
        model.load_state_dict(average.module.state_dict())
    model.train(False)


def batch_gradients(
    model: BertForSequenceClassification,
    trained: Sequence[torch.nn.Parameter],
    inputs: Mapping[str, torch.Tensor],
    targets: torch.Tensor,
    loss: Loss,
) -> float:
    """Set the gradients of the batch's mean loss and return it; processes share the rows."""
    own = slice(ranks.rank(), None, ranks.size())
    share = len(targets[own]) / len(targets)
    gradients = [torch.zeros_like(parameter) for parameter in trained]
    total = torch.zeros(())
    if share > 0:
        answers = model(**{name: tensor[own] for name, tensor in inputs.items()}).logits[:, 0]
        value = share * loss(answers, targets[own])
        gradients = list(torch.autograd.grad(value, trained))
        total += value.detach()
    flat = torch.cat([total[None], *(gradient.flatten() for gradient in gradients)])
    ranks.add_up(flat)
    pieces = torch.split(flat[1:], [parameter.numel() for parameter in trained])
    for parameter, piece in zip(trained, pieces, strict=True):
        parameter.grad = piece.view_as(parameter)
    return float(flat[0])
