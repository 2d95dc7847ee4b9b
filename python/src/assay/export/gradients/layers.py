"""The network's layers on rows, each with its pull-back.

A pull-back takes the gradient at the layer's output, notes the places of the layer's parameters,
and returns the gradient at its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from assay.export.gradients.network import Activation, known_activation
from assay.export.gradients.places import Places, Product, Scaling

PullBack = Callable[[Tensor, Places], Tensor]


def multiply(layer: nn.Linear, inputs: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
    """(rows, in) to (rows, out); the pull-back adds to `onto` (rows, in), where given."""

    def pull_back(gradients: Tensor, places: Places, onto: Tensor | None = None) -> Tensor:
        places.append(Product(layer.weight, layer.bias, inputs, gradients))
        if onto is None:
            return torch.mm(gradients, layer.weight)
        return torch.addmm(onto, gradients, layer.weight)

    if layer.bias is None:
        return _Product.apply(inputs, layer.weight), pull_back
    return nn.functional.linear(inputs, layer.weight, layer.bias), pull_back


class _Product(torch.autograd.Function):
    """A Linear without bias as the one operator that a Linear with a bias becomes."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor) -> Any:
        return torch.mm(inputs, weight.t())

    @staticmethod
    def symbolic(graph: Any, inputs: Any, weight: Any) -> Any:
        return graph.op("Gemm", inputs, weight, transB_i=1)


def normalise(layer: nn.LayerNorm, inputs: Tensor) -> tuple[Tensor, PullBack]:
    """LayerNorm of (rows, d)."""
    run: Callable[..., tuple[Tensor, Tensor, Tensor]] = _LayerNorm.apply
    outputs, mean, reciprocal = run(inputs, layer.weight, layer.bias, layer.eps)
    return outputs, pull_norm(layer, (inputs - mean) * reciprocal, reciprocal)


def pull_norm(layer: nn.LayerNorm, normed: Tensor, reciprocal: Tensor) -> PullBack:
    """The pull-back of a LayerNorm, from its normed input x̂ (rows, d) and 1/σ (rows, 1).

    With g the gradient at the output times w:
    ∇x = (g − mean(g) − x̂ mean(g ∘ x̂)) / σ  (Ba et al. 2016, differentiated).
    """
    averaging = layer.weight.unsqueeze(1) / layer.normalized_shape[0]

    def pull_back(gradients: Tensor, places: Places) -> Tensor:
        products = normed * gradients
        places.append(Scaling(layer.weight, layer.bias, products, gradients))
        centred = gradients * layer.weight - torch.mm(gradients, averaging)
        return (centred - normed * torch.mm(products, averaging)) * reciprocal

    return pull_back


class _LayerNorm(torch.autograd.Function):
    """LayerNorm with its means and reciprocal deviations (rows, 1), as ONNX's operator gives."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Any:
        return torch.native_layer_norm(inputs, weight.shape, weight, bias, eps)

    @staticmethod
    def symbolic(graph: Any, inputs: Any, weight: Any, bias: Any, eps: float) -> Any:
        parts = [weight] if bias is None else [weight, bias]
        return graph.op("LayerNormalization", inputs, *parts, axis_i=-1, epsilon_f=eps, outputs=3)


def activate_named(name: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """`activate` by transformers' name of the activation.

    Raises:
        GradientsUnsupported: the activation is not known.
    """
    return activate(known_activation(name), inputs)


def activate(name: Activation, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The activation of (rows, d), and its derivative (rows, d)."""
    if name == "relu":
        positive = (inputs > 0).to(inputs.dtype)
        return inputs * positive, positive
    if name == "tanh":
        outputs = torch.tanh(inputs)
        return outputs, 1 - outputs * outputs
    # x Φ(x), and Φ(x) + x φ(x) (Hendrycks & Gimpel 2016), Φ as the quotient of the two
    inputs = inputs + 1e-30  # no zero: 0 / 0
    outputs = nn.functional.gelu(inputs)
    density = torch.exp(inputs * inputs * -0.5 - 0.5 * math.log(2 * math.pi))
    return outputs, outputs / inputs + inputs * density
