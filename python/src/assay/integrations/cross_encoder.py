"""A loss of sentence-transformers for cross-encoders that takes multipliers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from assay.integrations.carried import Carried
from assay.integrations.means import weighted_mean
from assay.integrations.observations import FeatureNorms, Observe


def weighted(loss: nn.Module, observe: Observe | None = None) -> WeightedLoss:
    """Makes a loss of sentence-transformers multiply each sample's loss.

    `loss` is a BinaryCrossEntropyLoss, CrossEntropyLoss or MSELoss, made as usual: with the mean,
    or with `reduction="none"`. The multipliers are the last column of the dataset, if that holds
    numbers: `add_weights` makes it. `attach` calls this too, and then they come with the drawn
    rows. `observe` gets rows, logits, labels and the norms of the last layer's input, of each
    batch.

    Raises:
        TypeError: the loss does not consist of one loss for each sample, as those of lists and
            pairs do not.
    """
    return loss if isinstance(loss, WeightedLoss) else WeightedLoss(loss, observe)


class WeightedLoss(nn.Module):
    """The mean of multiplier × loss where the batch carries multipliers, else the plain mean."""

    def __init__(self, loss: nn.Module, observe: Observe | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.observe = observe
        self._norms = FeatureNorms(loss.get_submodule("model")) if observe is not None else None
        self._seen: tuple[Tensor, Tensor] | None = None
        inner = _sample_loss(loss)
        inner.reduction = "none"
        inner.register_forward_pre_hook(self._see)

    @property
    def model(self) -> Any:
        """The model of the loss: the trainer looks here whether it is the wrapped one."""
        return self.loss.model

    def forward(self, inputs: Sequence[Any], labels: Tensor, **options: Any) -> Tensor:
        """The loss of a batch. The last of `inputs` may be its multipliers."""
        carried = _carried(inputs[-1]) if len(inputs) > 0 else None
        columns = inputs if carried is None else inputs[:-1]
        losses = self.loss(list(columns), labels, **options)
        if carried is None:
            self._seen = None
            mean: Tensor = losses.mean()
            return mean
        self._hand_on(carried)
        return weighted_mean(losses.reshape(-1), carried.tensor(losses))

    def get_config_dict(self) -> Any:
        """What the model card says of the loss."""
        describe = getattr(self.loss, "get_config_dict", dict)
        return describe()

    def _see(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._seen = (inputs[0], inputs[1])

    def _hand_on(self, carried: Carried) -> None:
        seen, self._seen = self._seen, None
        if self.observe is None or self._norms is None or seen is None or not carried.rows:
            return
        logits, labels = seen
        self.observe(carried.rows, logits, labels, self._norms.take(len(logits)))


def _carried(column: Any) -> Carried | None:
    """Multipliers, if a column is theirs: texts are none."""
    if isinstance(column, Carried):
        return column
    is_numbers = isinstance(column, Sequence) and all(isinstance(v, (int, float)) for v in column)
    return Carried([], [float(value) for value in column]) if is_numbers and column else None


def _sample_loss(loss: nn.Module) -> Any:
    """The loss of PyTorch inside, that has a reduction."""
    model = getattr(loss, "model", None)
    found = [
        child
        for name, child in loss.named_children()
        if child is not model and name != "model" and hasattr(child, "reduction")
    ]
    if len(found) != 1 or found[0].reduction not in ("mean", "none"):
        raise TypeError(
            f"{type(loss).__name__} does not have one mean over samples: use "
            "BinaryCrossEntropyLoss, CrossEntropyLoss or MSELoss"
        )
    return found[0]
