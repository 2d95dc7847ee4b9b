"""What `score` and `lookup` answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.client.answers.dataset import LookUpRow, Weighed
from assay.client.answers.score import BatchDiagnostics, ModelVersion, ScoreRow
from assay.client.table import Table


@dataclass(frozen=True)
class Request:
    """One of the requests that scored: its rows of the caller's, the model, the diagnostics."""

    rows: tuple[int, ...]
    model: ModelVersion
    diagnostics: BatchDiagnostics


class Scores(Table[ScoreRow]):
    """Scored samples (N), in the caller's order.

    `loss_name` is the loss that the signals were computed with, and `requests` says how the samples
    were divided. `scores["loss"]` is a column, iteration gives rows.
    """

    def __init__(
        self, rows: Sequence[ScoreRow], loss_name: str, requests: Sequence[Request]
    ) -> None:
        super().__init__(rows)
        self._scored = rows
        self.loss_name = loss_name
        self.requests = tuple(requests)

    def __iter__(self) -> Iterator[ScoreRow]:
        return iter(self._scored)

    @property
    def models(self) -> list[ModelVersion]:
        """The models that scored: more than one if the model was replaced meanwhile."""
        return list(dict.fromkeys(request.model for request in self.requests))

    @property
    def diagnostics(self) -> list[BatchDiagnostics]:
        """The diagnostics of each request."""
        return [request.diagnostics for request in self.requests]

    @property
    def advice(self) -> list[str]:
        """Sentences to read before the figures are used, each once."""
        return list(dict.fromkeys(line for d in self.diagnostics for line in d.advice))

    @property
    def cache_hits(self) -> int:
        """Samples whose text was not run again."""
        return sum(diagnostics.cache_hits for diagnostics in self.diagnostics)

    def __repr__(self) -> str:
        versions = ", ".join(f"{model.name}@{model.version}" for model in self.models)
        return f"<Scores of {len(self)} samples by {versions}: {', '.join(self.columns)}>"


class LookUp(Table[LookUpRow]):
    """What a dataset keeps of ids (N), in their order; None for an id that it does not have.

    `snapshot` is the version of the weights, `as_of` their time, and `weight_sum` the sum of all
    weights of the snapshot whose samples are still there; they are None before the dataset was
    weighed.
    """

    def __init__(self, rows: Sequence[LookUpRow | None], dataset: str, weighed: Weighed) -> None:
        super().__init__(rows)
        self.dataset = dataset
        self.snapshot = weighed.snapshot
        self.as_of = weighed.as_of
        self.weight_sum = weighed.weight_sum

    def __repr__(self) -> str:
        known = sum(row is not None for row in self)
        return f"<LookUp of {len(self)} ids in {self.dataset}, {known} known>"
