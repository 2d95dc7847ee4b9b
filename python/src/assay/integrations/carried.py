"""How rows and multipliers travel through the loader of a trainer, from the sampler to the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from assay.integrations.rows import fetch
from assay.integrations.sampler import Drawn

COLUMN = "assay_carried"


@dataclass(frozen=True)
class Carried:
    """The rows and multipliers of a batch (B).

    It is neither a tensor nor a list, so trainers hand it on as it is: they would cast a tensor to
    bfloat16 under DeepSpeed.
    """

    rows: list[int]
    multipliers: list[float]

    def tensor(self, like: Tensor) -> Tensor:
        """The multipliers (B) in float32, on a tensor's device."""
        return torch.tensor(self.multipliers, dtype=torch.float32, device=like.device)


@dataclass(frozen=True)
class CarriedRow:
    """A row of the dataset, and how it was drawn."""

    row: Any
    drawn: Drawn


class CarryingDataset(Dataset[CarriedRow]):
    """A map-style dataset for an `ImportanceSampler`, in front of a `CarryingCollator`."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, drawn: Drawn) -> CarriedRow:
        return self.__getitems__([drawn])[0]

    def __getitems__(self, drawn: Sequence[Drawn]) -> list[CarriedRow]:
        rows = fetch(self._dataset, drawn)
        return [CarriedRow(row, each) for row, each in zip(rows, drawn, strict=True)]


class CarryingCollator:
    """Collates rows as the trainer's own collator does, and adds `Carried` as the last column.

    Rows of another dataset, as in an evaluation, go to the collator as they are.
    """

    def __init__(
        self, collate: Callable[[list[Any]], Any], collate_carried: Callable[[list[Any]], Any]
    ) -> None:
        self._collate = collate
        self._collate_carried = collate_carried

    def __call__(self, rows: list[Any]) -> Any:
        if not rows or not isinstance(rows[0], CarriedRow):
            return self._collate(rows)
        batch = self._collate_carried([each.row for each in rows])
        carried = Carried(
            [each.drawn.row for each in rows], [each.drawn.multiplier for each in rows]
        )
        return {**batch, COLUMN: carried}
