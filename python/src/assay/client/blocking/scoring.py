"""Samples scored by the service, or by your own model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.client.answers.explanation import Explanation, ExplanationMethod
from assay.client.answers.sample import Mode, Observed
from assay.client.answers.signals import Loss, Precision, Signal
from assay.client.blocking.base import Base
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
    """Samples scored by the service, or by your own model."""

    def score(
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
        """Scores samples (N), in as many requests as they need; those of a group go together.

        `samples` are mappings, a mapping of columns, a pandas or polars frame, an Arrow table, or a
        Hugging Face dataset. `id` to `source` are the names of their columns, where those differ
        from the field's; `extras` are columns of numbers. With `dataset`, the service remembers the
        signals by id. All samples are checked before the first is sent. After an error the dataset
        keeps the requests that were done: scoring again is cheap, because outputs are cached.

        `weighting` gives each sample a weight within one request; more samples than one request
        takes are refused: see `weigh`. The other options are those of POST /v1/score.

        Raises:
            SampleError: a sample has a fault; nothing was sent.
            AssayError: the service refuses or does not answer.
        """
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
        return self._driver.run(score(samples, columns, options, self._limits, progress))

    def observe(
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
        """Posts what your own model computed: ids (N), logits (N) or (N, K), labels (N).

        The service runs no model. It computes the signals of logits and labels, keeps the logits by
        checkpoint for the signals of the history, and then weighs and selects as if it had scored.
        Each argument may be a list, a NumPy array, a torch tensor on any device, or a column of a
        frame. Labels are None where a sample has none; `labels` may be None for all.

        `checkpoint` is the name and the step of the model that gave the logits, and `mode` says
        whether its dropout was on. `loss` is the loss that you train with: by default `bce` for one
        logit and `cross_entropy` for several. `feature_norms` (N) are the norms of the last layer's
        input, for `grad_norm_last`. `groups` are needed by `pairwise` and `listwise`. A post that
        is repeated replaces the logits of its checkpoint.

        Raises:
            SampleError: a value has a fault, named by its row; nothing was sent.
        """
        outputs = Outputs(ids, logits, labels, feature_norms, groups, sources)
        fields = without_none(
            checkpoint=checkpoint_field(checkpoint), loss=loss, mode=mode, model=model
        )
        return self._driver.run(observe(dataset, outputs, fields, self._limits, progress))

    def explain(
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
        """Says which tokens or words move the logits of samples (N), and their losses.

        Samples and their columns are as in `score`; nothing is remembered. With a label, a sample's
        pieces say what they add to its loss. `method` is by default `integrated_gradients` if the
        model has the graph for them, else `occlusion`. `class_index` is the only class to explain.
        docs/explanations.md says how to read the answer.

        Raises:
            SampleError: a sample has a fault; nothing was sent.
            AssayError: the service refuses or does not answer.
        """
        columns = Columns(id=id, query=query, document=document, text=text, label=label)
        fields = without_none(method=method, loss=loss, model=model)
        if class_index is not None:
            fields["class"] = class_index
        return self._driver.run(explain(samples, columns, fields, self._limits))
