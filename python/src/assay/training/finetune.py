"""The second step: a distilled cross-encoder learns from judgements, as far as that helps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import BertForSequenceClassification, PreTrainedTokenizerBase

from assay.training.calibration import platt, scale_head
from assay.training.fit import FitOptions, fit
from assay.training.metrics import auc, f1, ndcg_by_query, threshold_of_best_f1
from assay.training.network import encode_pairs, load_cross_encoder, load_tokenizer, logits

TRAINED_TOKENS_MAX = 128
SCORED_TOKENS_MAX = 256
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)
State = dict[str, torch.Tensor]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Texts with soft labels (pairs,) in 0..1, grades for nDCG (pairs,), and whether relevant."""

    groups: Sequence[str]
    queries: Sequence[str]
    documents: Sequence[str]
    labels: Floats
    grades: Floats
    relevant: npt.NDArray[np.bool_]

    def take(self, rows: npt.NDArray[np.intp]) -> "Pairs":
        """The pairs at `rows` (n)."""
        return Pairs(
            [self.groups[row] for row in rows],
            [self.queries[row] for row in rows],
            [self.documents[row] for row in rows],
            self.labels[rows],
            self.grades[rows],
            self.relevant[rows],
        )


Quality = Callable[[Pairs, Floats], float]  # of scores (pairs,) on held-out pairs


@dataclass(frozen=True)
class Choice:
    """How far to go from the distilled weights (mix 0) to the fine-tuned ones (1), the logit of the
    best F1 there, and by mix the quality that decided."""

    mix: float
    threshold: float
    quality: dict[float, float]


@dataclass(frozen=True)
class Ends:
    """A model and the weights it can be set between: `start`, distilled with its head calibrated,
    and `end`, fine-tuned."""

    model: BertForSequenceClassification
    tokenizer: PreTrainedTokenizerBase
    start: State
    end: State

    def model_at(self, mix: float) -> BertForSequenceClassification:
        """The model, its weights set to (1 − mix) · start + mix · end."""
        self.model.load_state_dict(
            {name: torch.lerp(self.start[name], self.end[name], mix) for name in self.start}
        )
        return self.model

    def score(self, pairs: Pairs, mix: float) -> Floats:
        """(pairs,) logits at `mix`."""
        return logits(
            self.model_at(mix), self.tokenizer, pairs.queries, pairs.documents, SCORED_TOKENS_MAX
        )


def fit_ends(
    distilled: Path, pairs: Pairs, options: FitOptions, report: Callable[[str], None]
) -> Ends:
    """Calibrate the head of `distilled` on `pairs` (Platt, 1999), then fine-tune on them with
    binary cross-entropy against their soft labels."""
    tokenizer = load_tokenizer(distilled)
    model = load_cross_encoder(distilled, options.seed)
    answers = logits(model, tokenizer, pairs.queries, pairs.documents, SCORED_TOKENS_MAX)
    scale_head(model, platt(answers, pairs.labels))
    start = _copy(model)
    encoded = encode_pairs(tokenizer, pairs.queries, pairs.documents, TRAINED_TOKENS_MAX)
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    fit(model, encoded, pairs.labels, loss, options, report)
    return Ends(model, tokenizer, start, _copy(model))


def choose_mix(pairs: Pairs, scores: Mapping[float, Floats], quality: Quality) -> Choice:
    """The mix of the highest quality, the smallest such on a tie, from each mix's scores (pairs,)
    of `pairs` that its fine-tuning did not see.

    Weights between the two ends often do better on new queries than either, and going only part of
    the way is what stopping early would do (Wortsman et al., 2022, "Robust fine-tuning of zero-shot
    models").
    """
    qualities = {mix: quality(pairs, scores[mix]) for mix in sorted(scores)}
    mix = max(qualities, key=lambda m: (qualities[m], -m))
    return Choice(mix, threshold_of_best_f1(pairs.relevant, scores[mix]), qualities)


def search_quality(held: Pairs, scores: Floats) -> float:
    """The mean of AUC over all pairs (N) and nDCG@10 by query."""
    ndcgs = list(ndcg_by_query(held.groups, held.grades, scores).values())
    return (auc(held.relevant, scores) + float(np.mean(ndcgs))) / 2


def best_f1(held: Pairs, scores: Floats) -> float:
    """F1 at the threshold that suits `held` best, from scores (N)."""
    return f1(held.relevant, scores >= threshold_of_best_f1(held.relevant, scores))


def _copy(model: BertForSequenceClassification) -> State:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
