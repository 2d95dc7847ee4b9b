import math

import numpy as np
import pytest

from assay.training.lexical import bm25, coverage, coverage_weights, fit_corpus, tfidf, words

TEXTS = ["red network cable", "blue network cable", "toner for printers"]
CORPUS = fit_corpus(TEXTS)


def test_words_lose_case_punctuation_and_plural() -> None:
    assert words("USB-C Cables, glass 2s") == ["usb", "c", "cable", "glass", "2s"]


def test_idf_follows_its_formula() -> None:
    assert CORPUS.idf[CORPUS.places["network"]] == pytest.approx(math.log1p(1.5 / 2.5))
    assert CORPUS.idf[CORPUS.places["red"]] == pytest.approx(math.log1p(2.5 / 1.5))
    assert CORPUS.idf[-1] == pytest.approx(math.log1p(3.5 / 0.5))


def test_coverage_is_the_share_of_idf() -> None:
    red, network = (CORPUS.idf[CORPUS.places[word]] for word in ("red", "network"))
    covered = coverage(CORPUS, ["red network toner"], ["red network stand for nothing known"])
    toner = CORPUS.idf[CORPUS.places["toner"]]
    assert covered[0] == pytest.approx((red + network) / (red + network + toner))


def test_coverage_is_one_when_either_text_holds_the_other() -> None:
    pairs = [("network cable", TEXTS[0]), (TEXTS[0], "network cable")]
    assert coverage(CORPUS, *map(list, zip(*pairs, strict=True))) == pytest.approx([1, 1])


def test_an_unknown_word_is_never_covered_but_counts() -> None:
    assert coverage(CORPUS, ["zebra"], ["zebra"])[0] == 0
    assert coverage_weights(CORPUS, ["zebra zebra"]).toarray()[0, -1] == pytest.approx(1)


def test_bm25_follows_its_formula() -> None:
    idf = CORPUS.idf[CORPUS.places["red"]]
    expected = idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3 / CORPUS.length_mean))
    assert bm25(CORPUS, ["red"], [TEXTS[0]])[0] == pytest.approx(expected)


def test_tfidf_is_a_cosine() -> None:
    scores = tfidf(CORPUS, [TEXTS[0], TEXTS[0], "toner"], [TEXTS[0], TEXTS[2], "red"])
    assert scores == pytest.approx([1, 0, 0])


def test_empty_texts_score_zero() -> None:
    for score in (coverage, tfidf, bm25):
        assert np.array_equal(score(CORPUS, ["", "red"], ["red", ""]), [0, 0])
