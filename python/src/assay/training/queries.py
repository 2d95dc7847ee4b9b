"""Queries made from the catalogue: what people might type, without any query that people judged."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from assay.training.data import Product
from assay.training.lexical import words

Option = TypeVar("Option")

NGRAM_MAX = 4
NGRAM_PRODUCTS_MIN = 3
TITLE_WORDS_MAX = 18
OFFER_WORDS_MAX = 40
WORD_KEPT = 0.8  # chance that a word stays in a query made from a whole text

# Kinds of query and their shares; shares follow no judged query.
SHARES = {
    "ngram": 0.38,  # 1 to 4 words in a row that several products have: "wireless mouse"
    "type": 0.20,  # a run of lower-case words, Icecat's product type, at times with its brand
    "fragment": 0.12,  # 2 to 5 words in a row of one title: product names
    "model": 0.06,  # a word with digits and letters, at times with the brand: model numbers
    "title": 0.08,  # a whole title with words left out
    "offer": 0.06,  # title and description with words left out: another shop's text of the product
    "word": 0.10,  # a whole word of the tokeniser's vocabulary: words that no product has
}
NGRAM_LENGTHS = (0.35, 0.40, 0.18, 0.07)  # chances of 1, 2, 3 and 4 words

_TOKEN = re.compile(r"[\w][\w\-+./&']*")
_TYPE_WORD = re.compile(r"[a-z]{3,}(?:[/\-][a-z]+)*")
_EDGE_STOP = frozenset(
    [
        *("a", "an", "and", "as", "at", "by", "for", "from", "in", "incl", "of", "on", "or"),
        *("per", "the", "to", "up", "via", "w", "with", "x"),
    ]
)


def catalogue_queries(
    products: Sequence[Product],
    vocabulary: Iterable[str],
    count: int,
    seed: int,
    excluded: Iterable[str],
) -> list[str]:
    """`count` distinct queries in lower case, in random order.

    None equals a query of `excluded`, letter case, punctuation and plural "s" aside, so that a
    model taught on them has met no query that it is measured on. Raises ValueError where the
    catalogue is too small for that many.
    """
    rng = np.random.default_rng(seed)
    makers = _makers(products, vocabulary, rng)
    kinds = list(SHARES)
    seen = {tuple(words(query)) for query in excluded} | {()}
    queries: list[str] = []
    for _ in range(20 * count):
        if len(queries) == count:
            break
        query = makers[kinds[rng.choice(len(kinds), p=list(SHARES.values()))]]().lower()
        key = tuple(words(query))
        if key not in seen:
            seen.add(key)
            queries.append(query)
    if len(queries) < count:
        raise ValueError(f"the catalogue gives {len(queries)} queries, {count} were asked for")
    return queries


def _makers(
    products: Sequence[Product], vocabulary: Iterable[str], rng: np.random.Generator
) -> dict[str, Callable[[], str]]:
    titles = [title for product in products if (title := _TOKEN.findall(product.title))]
    offers = [offer for product in products if (offer := _TOKEN.findall(product.document))]
    ngrams = _frequent_ngrams(products)
    types = _product_types(products)
    models = _model_numbers(products)
    vocabulary_words = sorted(word for word in vocabulary if re.fullmatch(r"[a-z]{3,}", word))

    def pick(options: Sequence[Option]) -> Option:
        if not options:
            raise ValueError("the catalogue has too little text to make queries from")
        return options[int(rng.integers(len(options)))]

    def ngram() -> str:
        return pick(ngrams[int(rng.choice(NGRAM_MAX, p=NGRAM_LENGTHS)) + 1])

    def product_type() -> str:
        name, brands = pick(types)
        parts = name.split()
        tail = " ".join(parts[rng.integers(len(parts)) :])
        return f"{pick(brands)} {tail}" if rng.random() < 0.3 else tail

    def fragment() -> str:
        title = pick(titles)
        length = int(rng.integers(2, 6))
        start = int(rng.integers(max(1, len(title) - length + 1)))
        return " ".join(title[start : start + length])

    def model() -> str:
        number, brand = pick(models)
        return f"{brand} {number}" if rng.random() < 0.4 else number

    def thinned(text: Sequence[str], words_max: int) -> str:
        return " ".join([word for word in text if rng.random() < WORD_KEPT][:words_max])

    def word() -> str:
        chosen = pick(vocabulary_words)
        return f"{chosen} {pick(types)[0].split()[-1]}" if rng.random() < 0.3 else chosen

    return {
        "ngram": ngram,
        "type": product_type,
        "fragment": fragment,
        "model": model,
        "title": lambda: thinned(pick(titles), TITLE_WORDS_MAX),
        "offer": lambda: thinned(pick(offers), OFFER_WORDS_MAX),
        "word": word,
    }


def _frequent_ngrams(products: Sequence[Product]) -> dict[int, list[str]]:
    """By length, runs of words that at least NGRAM_PRODUCTS_MIN products have in their texts; they
    start and end with a word that carries meaning and hold no bare number."""
    counts: dict[int, Counter[str]] = {n: Counter() for n in range(1, NGRAM_MAX + 1)}
    for product in products:
        found: set[tuple[str, ...]] = set()
        for text in {product.title, product.description}:
            tokens = [token.strip(".-/'&+") for token in _TOKEN.findall(text.lower())]
            for n in counts:
                found.update(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
        for run in found:
            edges = {run[0], run[-1]}
            if not edges & _EDGE_STOP and all(re.search(r"[a-z]{2}", word) for word in run):
                counts[len(run)][" ".join(run)] += 1
    return {
        n: sorted(run for run, seen in counter.items() if seen >= NGRAM_PRODUCTS_MIN)
        for n, counter in counts.items()
    }


def _product_types(products: Sequence[Product]) -> list[tuple[str, list[str]]]:
    """Runs of 1 to 4 lower-case words that several titles have, each with its products' brands.

    Icecat writes names with capitals and the product type without: "Kensington MicroSaver cable
    lock Black".
    """
    brands: dict[str, list[str]] = defaultdict(list)
    for product in products:
        run: list[str] = []
        for token in [*product.title.split(), ""]:
            if _TYPE_WORD.fullmatch(token) and token not in _EDGE_STOP:
                run.append(token)
                continue
            if 1 <= len(run) <= 4:
                brands[" ".join(run)].append(product.brand)
            run = []
    return sorted(
        (name, sorted(set(of))) for name, of in brands.items() if len(of) >= NGRAM_PRODUCTS_MIN
    )


def _model_numbers(products: Sequence[Product]) -> list[tuple[str, str]]:
    """Words of titles with at least one letter, two digits and five characters, each with the
    product's brand."""
    return sorted(
        {
            (token, product.brand)
            for product in products
            for token in _TOKEN.findall(product.title)
            if len(token) >= 5 and re.search(r"\d.*\d", token) and re.search(r"[A-Za-z]", token)
        }
    )
