"""Lexical scores of a document for a query: coverage, TF-IDF and BM25, fitted on a corpus."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]

_WORD = re.compile(r"[^\W_]+")
BM25_K1 = 1.2
BM25_B = 0.75


def words(text: str) -> list[str]:
    """Runs of letters and digits in lower case, without a plural "s"."""
    return [_singular(word) for word in _WORD.findall(text.lower())]


@dataclass(frozen=True)
class Corpus:
    """Word statistics of a corpus: place and inverse document frequency of each word."""

    places: dict[str, int]
    idf: Floats  # (words + 1,): the last is the idf of a word the corpus does not have
    length_mean: float


def fit_corpus(texts: Sequence[str]) -> Corpus:
    """Count `texts`. idf = ln(1 + (N − n + 0.5) / (n + 0.5)), BM25's (Robertson and Zaragoza,
    2009), N texts of which n have the word."""
    split = [words(text) for text in texts]
    frequency = Counter(word for text in split for word in set(text))
    counts = np.array([*frequency.values(), 0], dtype=np.float64)
    return Corpus(
        {word: place for place, word in enumerate(frequency)},
        np.log1p((len(texts) - counts + 0.5) / (counts + 0.5)),
        sum(map(len, split)) / max(1, len(split)),
    )


def count_words(corpus: Corpus, texts: Iterable[str]) -> sparse.csr_matrix:
    """(texts, words + 1) word counts; the last column counts words the corpus does not have."""
    unknown = len(corpus.places)
    columns: list[int] = []
    starts = [0]
    for text in texts:
        columns.extend(corpus.places.get(word, unknown) for word in words(text))
        starts.append(len(columns))
    matrix = sparse.csr_matrix(
        (np.ones(len(columns)), columns, starts), shape=(len(starts) - 1, unknown + 1)
    )
    matrix.sum_duplicates()
    return matrix


def coverage_weights(corpus: Corpus, queries: Iterable[str]) -> sparse.csr_matrix:
    """(queries, words + 1): each word's share of its query's idf. Times a document's 0/1 word
    vector this is the share of the query that the document covers, 0 to 1."""
    present = count_words(corpus, queries)
    present.data[:] = 1
    weighted = present.multiply(corpus.idf).tocsr()
    totals = np.maximum(np.asarray(weighted.sum(axis=1)).ravel(), 1e-12)
    return sparse.diags_array(1 / totals) @ weighted


def known_words(corpus: Corpus, documents: Iterable[str]) -> sparse.csr_matrix:
    """(documents, words + 1): 1 where the document has the word; 0 in the unknown column, so that
    a word unknown to the corpus counts as not covered."""
    present = count_words(corpus, documents)
    present.data[:] = 1
    present.data[present.indices == len(corpus.places)] = 0
    return present


def coverage(corpus: Corpus, queries: Sequence[str], documents: Sequence[str]) -> Floats:
    """(N), 0 to 1: row by row, the share of the query's idf that the document covers or of the
    document's that the query covers, whichever is larger. Of two offers of one product, either may
    be the longer."""
    return np.maximum(
        _row_dot(coverage_weights(corpus, queries), known_words(corpus, documents)),
        _row_dot(coverage_weights(corpus, documents), known_words(corpus, queries)),
    )


def tfidf(corpus: Corpus, queries: Sequence[str], documents: Sequence[str]) -> Floats:
    """Cosine of the TF-IDF vectors (1 + ln tf) · idf, row by row."""

    def vectors(texts: Sequence[str]) -> sparse.csr_matrix:
        counts = count_words(corpus, texts)
        counts.data = 1 + np.log(counts.data)
        weighted = counts.multiply(corpus.idf).tocsr()
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        return sparse.diags_array(1 / np.maximum(norms, 1e-12)) @ weighted

    return _row_dot(vectors(queries), vectors(documents))


def bm25(corpus: Corpus, queries: Sequence[str], documents: Sequence[str]) -> Floats:
    """BM25 (Robertson and Zaragoza, 2009) of each document for its query, row by row."""
    counts = count_words(corpus, documents)
    lengths = np.repeat(np.asarray(counts.sum(axis=1)).ravel(), np.diff(counts.indptr))
    penalty = BM25_K1 * (1 - BM25_B + BM25_B * lengths / corpus.length_mean)
    counts.data = counts.data * (BM25_K1 + 1) / (counts.data + penalty)
    return _row_dot(count_words(corpus, queries).multiply(corpus.idf).tocsr(), counts)


def _row_dot(left: sparse.csr_matrix, right: sparse.csr_matrix) -> Floats:
    return np.asarray(left.multiply(right).sum(axis=1), dtype=np.float64).ravel()


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word
