"""What the cross-encoder imitates: queries paired with catalogue products and a teacher's score."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse
from transformers import PreTrainedTokenizerBase

from assay.training.data import Product
from assay.training.lexical import Corpus, coverage_weights, fit_corpus, known_words
from assay.training.network import embed

COVERAGE_WEIGHT = 0.15  # teacher score = cosine + COVERAGE_WEIGHT · coverage
EMBEDDED_TOKENS_MAX = 96
QUERIES_AT_ONCE = 256

# How many products each query is paired with, by how they are found.
NEAREST = (3, 12)  # 3 of the 12 of the highest score
NEAR = (3, 200)  # 3 of the 200 of the highest score
LEXICAL = 4  # of those that cover most of the query, as a search engine would find
RANDOM = 2


@dataclass(frozen=True)
class TaughtPairs:
    """Pairs and the teacher's scores, all (pairs,): places in the queries and in the catalogue."""

    queries: npt.NDArray[np.intp]
    products: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float64]


def teach(
    queries: Sequence[str],
    products: Sequence[Product],
    base: Path,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
) -> TaughtPairs:
    """Pair each query with products, easy and hard, and score each pair.

    The score is cosine(query, document) by the bi-encoder in `base` plus COVERAGE_WEIGHT times
    the coverage (the larger share of words, weighed by idf, that one text has of the other).
    """
    documents = [product.document for product in products]
    corpus = fit_corpus(documents)
    query_vectors = embed(base, tokenizer, queries, EMBEDDED_TOKENS_MAX)
    document_vectors = embed(base, tokenizer, documents, EMBEDDED_TOKENS_MAX)
    lexical = _Lexical(corpus, documents)
    rng = np.random.default_rng(seed)
    chosen: list[npt.NDArray[np.intp]] = []
    scores: list[npt.NDArray[np.float64]] = []
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        some = queries[start : start + QUERIES_AT_ONCE]
        covered, covering = lexical.shares(some)
        cosines = query_vectors[start : start + len(some)] @ document_vectors.T
        totals = cosines + COVERAGE_WEIGHT * np.maximum(covered, covering)
        for total, share in zip(totals, covered, strict=True):
            places = _choose(total, share, rng)
            chosen.append(places)
            scores.append(total[places].astype(np.float64))
    return TaughtPairs(
        np.repeat(np.arange(len(queries)), [len(places) for places in chosen]),
        np.concatenate(chosen),
        np.concatenate(scores),
    )


class _Lexical:
    """Word vectors of the catalogue, to cover and be covered."""

    def __init__(self, corpus: Corpus, documents: Sequence[str]) -> None:
        self.corpus = corpus
        self.known: sparse.csr_matrix = known_words(corpus, documents).T.tocsr()
        self.weights: sparse.csr_matrix = coverage_weights(corpus, documents).T.tocsr()

    def shares(
        self, queries: Sequence[str]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """(queries, documents) each: share of the query that the document covers, and of the
        document that the query covers."""
        covered = coverage_weights(self.corpus, queries) @ self.known
        covering = known_words(self.corpus, queries) @ self.weights
        return covered.toarray(), covering.toarray()


def _choose(
    total: npt.NDArray[np.float64], covered: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Distinct places: the nearest, the near, the lexical hits, and random ones to fill."""
    width = min(NEAR[1], len(total) - 1)
    near = np.argpartition(-total, width)[:width]
    near = near[np.argsort(-total[near], kind="stable")]
    hits = np.flatnonzero(covered >= max(0.999 * covered.max(), 1e-6))
    drawn = np.concatenate(
        [
            rng.permutation(near[: NEAREST[1]])[: NEAREST[0]],
            rng.permutation(near)[: NEAR[0]],
            rng.permutation(hits)[:LEXICAL],
            rng.integers(len(total), size=RANDOM),
        ]
    )
    return np.unique(drawn)
