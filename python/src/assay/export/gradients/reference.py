"""PyTorch's autograd on the model's own forward, one sample at a time, in little memory.

A gradient of all parameters is never held: each parameter's is read as soon as autograd has made
it, and forgotten. An encoder layer keeps its input and runs again when its gradient is due (Chen et
al., arXiv:1604.06174), and a table's gradient is of the rows that were looked up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as run_again

from assay.export.families import Checkpoint

Array = NDArray[np.float32]
Visit = Callable[[str, Tensor], None]


@dataclass(frozen=True)
class Expected:
    """Of one text: gram (K, K) and tangent (K), in float64."""

    gram: Tensor
    tangent: Tensor


@dataclass(frozen=True)
class Attributed:
    """Of one text: Σ_d (e − e0)·∂z/∂e by logit and token (K, T), in float64, and the largest
    ‖e − e0‖·‖∂z/∂e‖."""

    values: Tensor
    scale: float


@dataclass(frozen=True)
class Sums:
    """Of several texts, by parameter: Σ_i Σ_k c_ik ∇z_ik, float32, and the summands' norms' sum."""

    sums: dict[str, Tensor]
    norms: dict[str, float]

    @staticmethod
    def zeros(parameters: Mapping[str, Tensor]) -> Sums:
        """Of no text."""
        return Sums(
            {name: torch.zeros(p.shape) for name, p in parameters.items()},
            dict.fromkeys(parameters, 0.0),
        )


class Reference:
    """The gradients of a model; made by `open_reference`."""

    def __init__(self, checkpoint: Checkpoint, direction: Mapping[str, Array]) -> None:
        self._model: Any = checkpoint.model
        self._inputs = checkpoint.family.inputs
        self._direction = {name: torch.from_numpy(value) for name, value in direction.items()}
        self._visit: Visit = _forget
        parameters: dict[str, Any] = dict(self._model.named_parameters())
        self._hooks = [
            parameters[name].register_post_accumulate_grad_hook(partial(self._take, name))
            for name in direction
        ]

    def close(self) -> None:
        """Leaves the model."""
        for hook in self._hooks:
            hook.remove()

    def expect(self, one: Mapping[str, Tensor], coefficient: Array, sums: Sums) -> Expected:
        """Gram and tangent of a text, int64 (1, T) without padding; adds Σ_k c_k ∇z_k to `sums`.

        Inner products of two logits' gradients come from the norm of their sum:
        2⟨a, b⟩ = ‖a + b‖² − ‖a‖² − ‖b‖². So one gradient is enough at a time.
        """
        logits = self._model(**{name: one[name] for name in self._inputs}).logits[0]
        classes = len(logits)
        squares = torch.zeros(classes, classes, dtype=torch.float64)
        tangent = torch.zeros(classes, dtype=torch.float64)

        def pull(scalar: Any, *visits: Visit) -> None:
            def visit_all(name: str, gradient: Tensor) -> None:
                for visit in visits:
                    visit(name, gradient)

            self._visit = visit_all
            scalar.backward(retain_graph=True)
            self._visit = _forget

        def square(k: int, other: int, name: str, gradient: Tensor) -> None:
            squares[k, other] += _square(gradient)

        def along(k: int, name: str, gradient: Tensor) -> None:
            tangent[k] += _along(gradient, self._direction[name])

        def add(factor: float, name: str, gradient: Tensor) -> None:
            _add(sums.sums[name], gradient, factor)
            sums.norms[name] += abs(factor) * float(_square(gradient)) ** 0.5

        if classes == 1:
            visits = [partial(square, 0, 0), partial(along, 0), partial(add, float(coefficient[0]))]
            pull(logits[0], *visits)
            return Expected(squares, tangent)
        for k in range(classes):
            pull(logits[k], partial(square, k, k), partial(along, k))
            for other in range(k):
                pull(logits[k] + logits[other], partial(square, k, other))
        pull(logits @ torch.from_numpy(coefficient).to(logits.dtype), partial(add, 1.0))
        own = squares.diagonal()
        below = ((squares - own[:, None] - own[None, :]) / 2).tril(-1)
        return Expected(below + below.T + own.diag(), tangent)

    def attribute(
        self, one: Mapping[str, Tensor], words: nn.Embedding, baseline: Tensor, alpha: float
    ) -> Attributed:
        """Attributions of a text at e0 + α(e − e0), of the embeddings of its ids and the baseline.

        The text and its baseline ids are int64 (1, T) without padding. `words` is the model's
        table.
        """
        start, end = (words(ids).detach() for ids in (baseline, one["input_ids"]))
        way = end - start
        point = (start + alpha * way).requires_grad_(True)
        hook = words.register_forward_hook(lambda *_: point)
        try:
            logits = self._model(**{name: one[name] for name in self._inputs}).logits[0]
            found = [torch.autograd.grad(z, point, retain_graph=True)[0][0] for z in logits]
        finally:
            hook.remove()
        gradients, way = torch.stack(found).double(), way[0].double()  # (K, T, d), (T, d)
        scale = (gradients.norm(dim=-1) * way.norm(dim=-1)).max()
        return Attributed((gradients * way).sum(-1), float(scale))

    def _take(self, name: str, parameter: Tensor) -> None:
        gradient, parameter.grad = parameter.grad, None
        assert gradient is not None
        self._visit(name, gradient.coalesce() if gradient.is_sparse else gradient)


@contextlib.contextmanager
def open_reference(
    checkpoint: Checkpoint, direction: Mapping[str, Array], dtype: torch.dtype = torch.float64
) -> Iterator[Reference]:
    """The gradients of a checkpoint, with tangents along a direction, a float32 a parameter.

    They are of the parameters that the direction names. The model has the dtype meanwhile.
    Afterwards it is as it was: to float64 and back loses nothing.
    """
    model: Any = checkpoint.model
    tables = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    layers: list[Any] = list(model.get_submodule(checkpoint.family.layers).children())
    model.to(dtype)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in direction)
    reference = Reference(checkpoint, direction)
    try:
        for table in tables:
            table.sparse = True
        for layer in layers:
            layer.forward = partial(
                run_again, layer.forward, use_reentrant=False, preserve_rng_state=False
            )
        yield reference
    finally:
        for layer in layers:
            del layer.forward
        for table in tables:
            table.sparse = False
        reference.close()
        model.float().requires_grad_(False)


def _forget(name: str, gradient: Tensor) -> None:
    """Reads nothing: between two gradients nothing that they were added to is kept."""


def _square(gradient: Tensor) -> Tensor:
    values = _values(gradient).flatten().double()
    return values @ values


def _along(gradient: Tensor, direction: Tensor) -> Tensor:
    if gradient.is_sparse:
        direction = direction[gradient.indices()[0]]
    return _values(gradient).flatten().double() @ direction.double().flatten()


def _add(total: Tensor, gradient: Tensor, factor: float) -> None:
    values = _values(gradient).float()
    if gradient.is_sparse:
        total.index_add_(0, gradient.indices()[0], values, alpha=factor)
    else:
        total.add_(values, alpha=factor)


def _values(gradient: Tensor) -> Tensor:
    """The gradient, or the rows of a table's that are not zero."""
    return gradient.values() if gradient.is_sparse else gradient
