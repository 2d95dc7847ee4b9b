"""A model as the checks see it: PyTorch's, its tokeniser, and what its graphs are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from assay.export.check import Outputs, torch_outputs
from assay.export.families import Checkpoint
from assay.export.gradients.scope import Scope
from assay.export.progress import stage
from assay.export.texts import Text
from assay.export.tokenizer import TextTokenizer


@dataclass(frozen=True)
class Model:
    """A checkpoint that holds the weights as stored, and what makes its inputs.

    `scope` is that of its gradient graphs, None where it has none.
    """

    checkpoint: Checkpoint
    tokenizer: TextTokenizer
    tokens_max: int
    scope: Scope | None

    def gradient_parameters(self) -> dict[str, Tensor]:
        """The parameters in the scope, by name; none without a scope."""
        parameters = dict(self.checkpoint.model.named_parameters())
        names = () if self.scope is None else self.scope.parameters
        return {name: parameters[name] for name in names}

    def outputs(self, texts: Sequence[Text]) -> Outputs:
        """Logits (N, K) and features (N, H) of texts, by PyTorch."""
        with stage(f"running the model in PyTorch on {len(texts)} texts"):
            return torch_outputs(self.checkpoint, self.tokenizer, texts, self.tokens_max)
