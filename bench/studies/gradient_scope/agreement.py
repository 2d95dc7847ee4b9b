"""Gradient norms of every scope from one backward pass a pair, and how their ranks agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import spearmanr

from assay.export.batches import plan_batches
from assay.export.families import Checkpoint, token_positions
from assay.export.gradients.grams import gram_terms
from assay.export.gradients.network import Network, find_network
from assay.export.gradients.places import parameters_of
from assay.export.gradients.run import Inputs, run_network
from assay.export.gradients.scope import find_scope
from assay.export.model import Model
from assay.export.texts import Text
from assay.training.data import Offers

LAST_LINEAR = "classifier.*"  # what grad_norm_last is the norm of
SCOPES = (LAST_LINEAR, "head", "last:1", "last:2", "last:4")
TOP = 0.05
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairGradients:
    """Of N pairs: |∂ℓ/∂z| under bce (N), and ‖∂z/∂θ‖² (N) over the parameters θ of each place, by
    their names."""

    residuals: Floats
    squares: dict[tuple[str, ...], Floats]

    def norms(self, names: tuple[str, ...]) -> Floats:
        """‖∇ℓ‖ (N) over the parameters with these names, which hold whole places."""
        inside = [place for place in self.squares if set(place) <= set(names)]
        assert sum(map(len, inside)) == len(names)
        total: Floats = np.sum([self.squares[place] for place in inside], axis=0)
        return self.residuals * np.sqrt(total)


def pair_gradients(model: Model, offers: list[Offers]) -> PairGradients:
    """In padded batches, in float32. The model has one logit, and is a BERT."""
    checkpoint = model.checkpoint
    network = find_network(checkpoint)
    assert isinstance(network, Network)
    names = {id(p): name for name, p in checkpoint.model.named_parameters()}
    texts = [Text(offer.query, offer.document) for offer in offers]
    labels = torch.tensor([float(offer.label) for offer in offers])
    residuals = torch.zeros(len(texts))
    squares: dict[tuple[str, ...], torch.Tensor] = {}
    for rows in plan_batches([len(model.tokenizer.encode(t, model.tokens_max)[0]) for t in texts]):
        given = model.tokenizer.batch([texts[row] for row in rows], model.tokens_max)
        ids = given["input_ids"]
        positions = token_positions(checkpoint, ids)
        inputs = Inputs(ids, given["attention_mask"], given["token_type_ids"], positions)
        with torch.no_grad():
            run = run_network(network, inputs)
            places = run.places(torch.ones_like(run.logits), names.keys())
            terms = gram_terms([places], len(rows))
        residuals[rows] = (torch.sigmoid(run.logits[:, 0]) - labels[rows]).abs()
        for place, term in zip(places, terms, strict=True):
            assert term is not None  # no parameter of a BERT is tied
            key = tuple(names[id(p)] for p in parameters_of(place))
            squares.setdefault(key, torch.zeros(len(texts)))[rows] = term[:, 0]
    found = {key: of.double().numpy() for key, of in squares.items()}
    return PairGradients(residuals.double().numpy(), found)


def agreement(checkpoint: Checkpoint, gradients: PairGradients) -> dict[str, dict[str, float]]:
    """By scope: Spearman's rank correlation of `grad_norm` with that of all parameters, the share
    of the top 5% that the two have in common, and the share of ‖∇ℓ‖² that the scope holds."""
    whole = gradients.norms(find_scope(checkpoint, "all").parameters)
    top = _top(whole)
    found = {}
    for scope in SCOPES:
        norms = gradients.norms(find_scope(checkpoint, scope).parameters)
        found[scope] = {
            "spearman": float(spearmanr(norms, whole).statistic),
            "top": len(top & _top(norms)) / len(top),
            "share_of_square": float(np.median(norms**2 / whole**2)),
        }
    return found


def _top(norms: Floats) -> set[int]:
    return set(np.argsort(-norms)[: round(TOP * len(norms))].tolist())
