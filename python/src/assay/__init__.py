"""Assay: which samples matter to the ranker that is being trained.

- `assay.export`: a Hugging Face checkpoint to a model folder (extra `export`).
- `assay.learned`: trees for the signal `learned` of a model folder (extra `learned`).
- `assay.training`: the recipe of the shipped model (extra `export`).
"""

__version__ = "0.1.0"
