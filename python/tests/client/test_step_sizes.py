"""The step sizes of an Adam optimiser, as bytes in the manifest's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from assay import AssayError
from assay.client.push.step_sizes import step_sizes

EPS = 1e-3


class Ranker(nn.Module):
    """Two layers, of which the first is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.last = nn.Linear(2, 1)
        self.first.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, 1)."""
        logits: torch.Tensor = self.last(self.first(x))
        return logits


def manifest(*names: str, scope: tuple[str, ...] = ()) -> dict[str, Any]:
    """A manifest that lists these parameters of `Ranker`."""
    shapes = {"first.weight": [2, 2], "last.weight": [1, 2], "last.bias": [1]}
    return {
        "name": "default",
        "parameters": [{"name": name, "shape": shapes[name]} for name in names],
        "gradient_scope": {"name": "all", **({"parameters": list(scope)} if scope else {})},
    }


ALL = ("last.bias", "first.weight", "last.weight")


def trained(**options: Any) -> tuple[Ranker, torch.optim.Optimizer]:
    """A ranker and an Adam that has taken three steps."""
    torch.manual_seed(0)
    model = Ranker()
    last = [
        {"params": [model.last.bias], "lr": 0.01},
        {"params": [model.last.weight, model.first.weight], "lr": 0.04},
    ]
    optimiser = torch.optim.Adam(last, betas=(0.9, 0.99), eps=EPS, **options)
    for step in range(3):
        optimiser.zero_grad()
        torch.autograd.backward(model(torch.ones(4, 2) * (3 - step)).square().mean())
        optimiser.step()
    return model, optimiser


def sizes(model: nn.Module, optimiser: Any, of: dict[str, Any], **options: Any) -> Any:
    """All step sizes."""
    made = step_sizes(optimiser, model, of, squared=options.get("squared", False))
    return np.frombuffer(b"".join(made), "<f4")


@pytest.mark.parametrize("amsgrad", [False, True])
def test_they_are_those_of_a_step_without_momentum(amsgrad: bool) -> None:
    model, optimiser = trained(amsgrad=amsgrad)
    found = sizes(model, optimiser, manifest(*ALL))
    kept = "max_exp_avg_sq" if amsgrad else "exp_avg_sq"

    def expected(parameter: torch.Tensor, rate: float) -> Any:
        moment = optimiser.state[parameter][kept] / (1 - 0.99**3)
        return rate / (moment.sqrt() + EPS)

    np.testing.assert_allclose(found[:1], expected(model.last.bias, 1), rtol=1e-6)
    assert found[1:5].tolist() == [0, 0, 0, 0]  # it does not move
    np.testing.assert_allclose(found[5:], expected(model.last.weight, 4)[0], rtol=1e-6)
    squared = sizes(model, optimiser, manifest(*ALL), squared=True)
    np.testing.assert_allclose(squared, found**2, rtol=1e-6)


def test_they_are_of_the_scope_alone() -> None:
    model, optimiser = trained()
    whole = sizes(model, optimiser, manifest(*ALL))
    part = sizes(model, optimiser, manifest(*ALL, scope=("last.weight",)))
    assert part.tolist() == whole[5:].tolist()
    wrapped: Any = torch.compile(model)
    assert sizes(wrapped, optimiser, manifest(*ALL)).tolist() == whole.tolist()


def test_what_gives_none_is_refused() -> None:
    model, optimiser = trained()
    with pytest.raises(AssayError, match="SGD is no Adam"):
        sizes(model, torch.optim.SGD(model.parameters(), lr=1), manifest(*ALL))
    with pytest.raises(AssayError, match="let it take a step first"):
        sizes(model, torch.optim.Adam(model.parameters()), manifest(*ALL))
    other = manifest(*ALL)
    other["parameters"][0]["shape"] = [2]
    with pytest.raises(AssayError, match=r"no parameter last.bias of shape \[2\]"):
        sizes(model, optimiser, other)
