"""What a training computes anyway: logits, labels and the norms of the last layer's input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from assay.integrations import ranks

IGNORED = -100  # a label that does not count, in Transformers and in PyTorch


@dataclass(frozen=True)
class Observations:
    """The newest outputs of rows (n), each row once."""

    rows: npt.NDArray[np.int64]  # (n)
    logits: npt.NDArray[np.float32]  # (n) or (n, K)
    labels: npt.NDArray[Any]  # (n)
    feature_norms: npt.NDArray[np.float32] | None  # (n)


@dataclass(frozen=True)
class _Batch:
    rows: Sequence[int]
    logits: Tensor
    labels: Tensor
    feature_norms: Tensor | None


class ObservationBuffer:
    """Keeps the outputs of batches on their device until they are taken: no step waits for a copy.

    Samples whose label is -100, which does not count, are left out then.
    """

    def __init__(self) -> None:
        self._batches: list[_Batch] = []

    def add(
        self,
        rows: Sequence[int],
        logits: Tensor,
        labels: Tensor,
        feature_norms: Tensor | None = None,
    ) -> None:
        """Keeps a batch: rows (B), logits (B), (B, 1) or (B, K), labels (B), norms (B)."""
        given = logits.detach()
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if given.ndim > 2 or len(given) != len(rows) or labels.shape != (len(rows),):
            raise ValueError(
                f"{len(rows)} rows with logits {tuple(logits.shape)} and labels "
                f"{tuple(labels.shape)}: give logits (B) or (B, K) and labels (B)"
            )
        self._batches.append(_Batch(list(rows), given, labels.detach(), feature_norms))

    def take_all(self) -> Observations | None:
        """The outputs of all ranks since the last call, on every rank; None if there are none.

        A row that came several times has its newest outputs. A collective call.
        """
        parts = [part for part in ranks.from_all(self._take()) if part is not None]
        if not parts:
            return None
        rows = np.concatenate([part.rows for part in parts])
        # The first of the reversed order is the newest.
        _, reverse = np.unique(rows[::-1], return_index=True)
        newest = np.sort(len(rows) - 1 - reverse)
        norms = [part.feature_norms for part in parts if part.feature_norms is not None]
        return Observations(
            rows[newest],
            np.concatenate([part.logits for part in parts])[newest],
            np.concatenate([part.labels for part in parts])[newest],
            np.concatenate(norms)[newest] if len(norms) == len(parts) else None,
        )

    def _take(self) -> Observations | None:
        batches, self._batches = self._batches, []
        if not batches:
            return None
        norms = [batch.feature_norms for batch in batches if batch.feature_norms is not None]
        whole = len(norms) == len(batches)
        labels = torch.cat([batch.labels for batch in batches]).cpu()
        counts = labels != IGNORED
        return Observations(
            np.array([row for batch in batches for row in batch.rows], dtype=np.int64)[counts],
            torch.cat([batch.logits for batch in batches]).float().cpu()[counts].numpy(),
            labels[counts].numpy(),
            torch.cat(norms).float().cpu()[counts].numpy() if whole else None,
        )


class FeatureNorms:
    """Reads ‖h‖ of each sample at the model's last linear layer with one output for each logit.

    With it, the service computes `grad_norm_last`, which `loss` lacks: how much a step changes the
    last layer. A model without such a layer gives none.
    """

    def __init__(self, model: nn.Module) -> None:
        classes = getattr(model, "num_labels", None)
        heads = [m for m in model.modules() if isinstance(m, nn.Linear)]
        self._norms: Tensor | None = None
        for head in [head for head in heads if head.out_features == classes][-1:]:
            head.register_forward_pre_hook(self._read)

    def take(self, samples: int) -> Tensor | None:
        """Norms (B) of the last forward, or None if they were not those of `samples` samples."""
        norms, self._norms = self._norms, None
        return norms if norms is not None and norms.shape == (samples,) else None

    def _read(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._norms = inputs[0].detach().float().norm(dim=-1)


Observe = Callable[[Sequence[int], Tensor, Tensor, Tensor | None], None]
