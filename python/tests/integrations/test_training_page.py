"""The code of docs/training.md, run from top to bottom against the service."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import assay.integrations
from assay import Client
from service import ROOT

PAGE = (ROOT / "docs" / "training.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_loops_run_as_they_are_written(
    tiny_client: Client,
    capsys: pytest.CaptureFixture[str],
    weigh_rows: Callable[[str, list[str]], int],
) -> None:
    weigh_rows("loop", [f"row-{row}" for row in range(96)])
    torch.manual_seed(0)
    inputs = torch.randn(96, 3)
    labels = (inputs[:, 0] > 0).float()
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    names: dict[str, Any] = {
        "client": tiny_client,
        "ids": [f"row-{row}" for row in range(96)],
        "rows": [{"x": x, "y": y} for x, y in zip(inputs, labels, strict=True)],
        "model": model,
        "loss": nn.BCEWithLogitsLoss(reduction="none"),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.5),
    }
    exec(compile("".join(BLOCKS), "docs/training.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    assert all("'tau': 1." in line for line in printed)
    # It trained, the service has what the loop posted, and the last weights are the newest.
    right = ((model(inputs) > 0) == (labels > 0.5)).float().mean()
    assert float(right) > 0.9
    found = tiny_client.weights(names["ids"], dataset="loop")
    assert names["live"].sampler.weights.values == pytest.approx(np.asarray(found))


def test_the_page_has_every_public_name() -> None:
    lacking = [name for name in assay.integrations.__all__ if name not in PAGE]
    assert lacking == []
