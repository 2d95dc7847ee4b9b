"""What a user would try without training: TF-IDF, BM25 and the base model as a bi-encoder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from assay.training.lexical import bm25, fit_corpus, tfidf
from assay.training.network import embed, load_tokenizer

TOKENS_MAX = 256  # the base model's own limit


def baseline_scores(
    base: Path, corpus_texts: Sequence[str], queries: Sequence[str], documents: Sequence[str]
) -> dict[str, npt.NDArray[np.float64]]:
    """(pairs,) scores by "TF-IDF", "BM25" and "MiniLM bi-encoder" (cosine); the lexical ones take
    their word statistics from `corpus_texts`."""
    corpus = fit_corpus(corpus_texts)
    tokenizer = load_tokenizer(base)
    distinct = sorted({*queries, *documents})
    place = {text: row for row, text in enumerate(distinct)}
    vectors = embed(base, tokenizer, distinct, TOKENS_MAX)
    query_vectors = vectors[[place[query] for query in queries]]
    document_vectors = vectors[[place[document] for document in documents]]
    return {
        "TF-IDF": tfidf(corpus, queries, documents),
        "BM25": bm25(corpus, queries, documents),
        "MiniLM bi-encoder": np.sum(query_vectors * document_vectors, axis=1, dtype=np.float64),
    }
