"""What the recipe reads: judgements, the catalogue, offers to match; and splits by query."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RATING_MAX = 3
RELEVANT_FROM = 2  # ratings of 2 and 3 count as relevant


@dataclass(frozen=True)
class Judgement:
    """One query with one product text and the rating, 0 to 3, that people gave it."""

    id: str
    group: str
    query: str
    document: str
    rating: int


@dataclass(frozen=True)
class Product:
    """One product of the catalogue, without any judgement."""

    id: str
    title: str
    description: str
    brand: str

    @property
    def document(self) -> str:
        """Title and description, the text that judgements show for a product."""
        return f"{self.title} {self.description}".strip()


@dataclass(frozen=True)
class Offers:
    """Two offers and whether they are the same product (label 1) or not (0)."""

    id: str
    query: str
    document: str
    label: int


def read_judgements(data: Path) -> list[Judgement]:
    """Read `chorus/judgments.jsonl` under `data`; raises FileNotFoundError, KeyError or
    ValueError (a rating outside 0..3) rather than skip a line."""
    judgements = []
    for row in _rows(data / "chorus" / "judgments.jsonl"):
        rating = int(row["rating"])
        if not 0 <= rating <= RATING_MAX:
            raise ValueError(f"rating {rating} of {row['id']} is outside 0..{RATING_MAX}")
        judgements.append(Judgement(row["id"], row["group"], row["query"], row["document"], rating))
    return judgements


def read_catalogue(data: Path) -> list[Product]:
    """Read `chorus/products.jsonl.gz` under `data`, in the file's order."""
    return [
        Product(row["id"], row["title"] or "", row["description"] or "", row["brand"] or "")
        for row in _rows(data / "chorus" / "products.jsonl.gz")
    ]


def read_offers(data: Path, name: str, split: str) -> list[Offers]:
    """Read `product-matching/{name}-{split}.jsonl.gz`; split is train, valid or test."""
    return [
        Offers(row["id"], row["query"], row["document"], int(row["label"]))
        for row in _rows(data / "product-matching" / f"{name}-{split}.jsonl.gz")
    ]


def split_by_query(
    groups: Sequence[str], folds: int, seed: int
) -> list[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """(train, test) indices for each fold; every sample of a query is on one side of each split.

    Queries are shuffled by `seed` and dealt out, so folds hold equally many queries (give or take
    one). Raises ValueError where there are fewer queries than folds.
    """
    names = sorted(set(groups))
    if not 2 <= folds <= len(names):
        raise ValueError(f"{len(names)} queries cannot be split into {folds} folds")
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[q]: place % folds for place, q in enumerate(order)}
    fold = np.array([fold_of[group] for group in groups])
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
