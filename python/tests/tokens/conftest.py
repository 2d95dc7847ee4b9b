"""One process with the compiled service's tokeniser, for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from token_service import ROOT, TokenService


@pytest.fixture(scope="session")
def service() -> Iterator[TokenService]:
    node = shutil.which("node")
    if node is None or not (ROOT / "dist" / "cli.js").exists():
        why = "node is not installed" if node is None else "dist/ is missing: npm run build"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    started = TokenService(node)
    yield started
    started.close()
