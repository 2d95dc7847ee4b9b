from pathlib import Path

import pytest

from assay.training.data import Product, read_catalogue, read_judgements
from assay.training.lexical import words
from assay.training.queries import catalogue_queries

VOCABULARY = ["shoes", "lamp", "##ing", "[PAD]", "42", "radio", "garden", "bicycle"]


def test_no_query_made_from_the_catalogue_is_a_judged_one(data: Path) -> None:
    judged = {judgement.query for judgement in read_judgements(data)}
    products = read_catalogue(data)
    free = catalogue_queries(products, VOCABULARY, 150, 1, excluded=[])
    assert judged & set(free), "the fixture must tempt the maker with judged queries"
    made = catalogue_queries(products, VOCABULARY, 150, 1, excluded=judged)
    assert not {tuple(words(query)) for query in made} & {tuple(words(query)) for query in judged}


def test_a_judged_query_is_excluded_in_another_spelling_too(data: Path) -> None:
    made = catalogue_queries(
        read_catalogue(data), VOCABULARY, 150, 1, excluded=["Network Cables", "LAMPS"]
    )
    assert "network cable" not in made
    assert "lamp" not in made


def test_queries_are_distinct_lower_case_and_not_empty(data: Path) -> None:
    made = catalogue_queries(read_catalogue(data), VOCABULARY, 150, 1, excluded=[])
    assert len({tuple(words(query)) for query in made}) == 150
    assert all(query == query.lower() and words(query) for query in made)


def test_queries_depend_on_the_seed_alone(data: Path) -> None:
    products = read_catalogue(data)
    first, again, other = (
        catalogue_queries(products, VOCABULARY, 50, seed, excluded=[]) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_queries_hold_types_model_numbers_names_and_words_of_no_product(data: Path) -> None:
    made = set(catalogue_queries(read_catalogue(data), VOCABULARY, 150, 1, excluded=[]))
    assert {"notebook case", "bicycle"} <= made
    assert any(query.startswith("x0") for query in made)
    assert any(len(query.split()) > 6 for query in made)


def test_a_catalogue_too_small_is_an_error() -> None:
    products = [Product(str(i), "Acme A100 cable", "", "Acme") for i in range(3)]
    with pytest.raises(ValueError, match=r"were asked for|too little text"):
        catalogue_queries(products, ["lamp"], 100, 1, excluded=[])
