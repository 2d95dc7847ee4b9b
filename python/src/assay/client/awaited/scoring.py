"""Samples scored by the service, or by your own model, for asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.client.answers.explanation import Explanation, ExplanationMethod
from assay.client.answers.sample import Mode, Observed
from assay.client.answers.signals import Loss, Precision, Signal
from assay.client.awaited.base import Base
from assay.client.operations.explain import explain
from assay.client.operations.observe import Outputs, observe
from assay.client.operations.score import score
from assay.client.progress import Progress
from assay.client.requests import At, Checkpoint, checkpoint_field, score_options, without_none
from assay.client.samples import Columns
from assay.client.scores import Scores
from assay.client.sources import Samples
from assay.client.weighting import Weighting


class ScoringMethods(Base):
    """Samples scored by the service, or by your own model, for asyncio."""

    async def score(
        self,
        samples: Samples,
        *,
        dataset: str | None = None,
        signals: Sequence[Signal] | None = None,
        loss: Loss | None = None,
        model: str | None = None,
        weighting: Weighting | None = None,
        direction: str | None = None,
        trajectory: Sequence[Checkpoint] | None = None,
        reference_model: str | None = None,
        precision: Precision | None = None,
        exact_fraction: float | None = None,
        seed: int | None = None,
        checkpoint: At | None = None,
        id: str | None = None,
        query: str | None = None,
        document: str | None = None,
        text: str | None = None,
        label: str | None = None,
        group: str | None = None,
        source: str | None = None,
        extras: Sequence[str] = (),
        progress: Progress = False,
    ) -> Scores:
        """As `Client.score`."""
        columns = Columns(
            id=id,
            query=query,
            document=document,
            text=text,
            label=label,
            group=group,
            source=source,
            extras=tuple(extras),
        )
        options = score_options(
            signals,
            weighting,
            reference_model,
            trajectory,
            dataset=dataset,
            loss=loss,
            model=model,
            direction=direction,
            precision=precision,
            exact_fraction=exact_fraction,
            seed=seed,
            checkpoint=None if checkpoint is None else checkpoint_field(checkpoint),
        )
        return await self._driver.run(score(samples, columns, options, self._limits, progress))

    async def observe(
        self,
        dataset: str,
        ids: Any,
        logits: Any,
        labels: Any,
        *,
        checkpoint: At,
        loss: Loss | None = None,
        mode: Mode = "train",
        model: str | None = None,
        feature_norms: Any | None = None,
        groups: Any | None = None,
        sources: Any | None = None,
        progress: Progress = False,
    ) -> Observed:
        """As `Client.observe`."""
        outputs = Outputs(ids, logits, labels, feature_norms, groups, sources)
        fields = without_none(
            checkpoint=checkpoint_field(checkpoint), loss=loss, mode=mode, model=model
        )
        return await self._driver.run(observe(dataset, outputs, fields, self._limits, progress))

    async def explain(
        self,
        samples: Samples,
        *,
        method: ExplanationMethod | None = None,
        loss: Loss | None = None,
        model: str | None = None,
        class_index: int | None = None,
        id: str | None = None,
        query: str | None = None,
        document: str | None = None,
        text: str | None = None,
        label: str | None = None,
    ) -> list[Explanation]:
        """As `Client.explain`."""
        columns = Columns(id=id, query=query, document=document, text=text, label=label)
        fields = without_none(method=method, loss=loss, model=model)
        if class_index is not None:
            fields["class"] = class_index
        return await self._driver.run(explain(samples, columns, fields, self._limits))
