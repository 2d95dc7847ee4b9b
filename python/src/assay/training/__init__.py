"""The recipe of the shipped ranker: a MiniLM cross-encoder for product-search relevance.

`python -m assay.training --help` lists the steps: `distil` teaches a cross-encoder to imitate a
bi-encoder and a lexical score on queries made from the catalogue, `crossval` measures the
fine-tuning that follows on unseen queries against baselines, `ship` fine-tunes on every query and
writes the checkpoint, `match` runs the recipe on product matching.
"""
