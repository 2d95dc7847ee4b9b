"""A mark of tests whose bounds hold only where 8-bit products are exact."""

from __future__ import annotations

import pytest

from assay.export.products import products_saturate

# Elsewhere no bound on what the tests' random weights make of it says anything of the exporter.
needs_exact_products = pytest.mark.skipif(
    products_saturate(), reason="this CPU's 8-bit products saturate (no VNNI)"
)
