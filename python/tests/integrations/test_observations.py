"""What is kept of a training's own outputs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from assay.integrations.observations import FeatureNorms, ObservationBuffer


def test_a_row_that_came_twice_has_its_newest_outputs() -> None:
    buffer = ObservationBuffer()
    assert buffer.take_all() is None
    buffer.add([5, 2], torch.tensor([[0.5], [0.25]]), torch.tensor([1.0, 0.0]), torch.ones(2))
    late = torch.tensor([2.5, 0.75], dtype=torch.bfloat16)
    buffer.add([5, 7], late, torch.tensor([1.0, 0.0]), torch.ones(2))
    found = buffer.take_all()
    assert found is not None
    assert dict(zip(found.rows, found.logits, strict=True)) == {2: 0.25, 5: 2.5, 7: 0.75}
    assert found.feature_norms is not None
    assert buffer.take_all() is None


def test_labels_that_do_not_count_and_norms_that_were_not_read_are_left_out() -> None:
    buffer = ObservationBuffer()
    buffer.add([0, 1], torch.randn(2, 3), torch.tensor([2, -100]), torch.ones(2))
    buffer.add([2], torch.randn(1, 3), torch.tensor([0]))
    found = buffer.take_all()
    assert found is not None
    assert found.rows.tolist() == [0, 2]
    assert found.logits.shape == (2, 3)
    assert found.feature_norms is None
    with pytest.raises(ValueError, match="give logits"):
        buffer.add([0, 1], torch.randn(3), torch.zeros(2))


def test_norms_are_those_of_the_last_layers_input() -> None:
    class Ranker(nn.Module):
        num_labels = 1

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(4, 1)  # as wide as the head, but before it
            self.head = nn.Linear(1, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.head(self.body(x))
            return found

    model = Ranker()
    norms = FeatureNorms(model)
    inputs = torch.randn(3, 4)
    model(inputs)
    expected = model.body(inputs).detach().norm(dim=-1)
    assert norms.take(2) is None  # of another batch
    model(inputs)
    found = norms.take(3)
    assert found is not None
    assert torch.allclose(found, expected)
    assert norms.take(3) is None
