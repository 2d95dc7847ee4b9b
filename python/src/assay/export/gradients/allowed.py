"""How far a gradient graph may be from PyTorch's gradients."""

from __future__ import annotations

from dataclasses import dataclass

from assay.export.errors import ExportError

TOLERANCE = 1e-5  # of a relative error
# How many times PyTorch's own error in float32 a graph may have, if that is more. The products over
# pairs of tokens lose more than autograd: 12 times for XLM-R-base's gram at 512 tokens.
OWN_ERRORS = 30
WORST = 1e-3  # a larger error is refused, whatever PyTorch's own is


@dataclass(frozen=True)
class GraphError:
    """The largest relative error of a graph, and which text or parameter has it."""

    largest: float
    where: str


def figure(error: float) -> float:
    """The error as the manifest has it, of four digits."""
    return float(f"{error:.4g}")


def hold(file: str, error: GraphError, own: float) -> None:
    """Raises where a graph's error exceeds what is allowed."""
    if error.largest <= min(WORST, max(TOLERANCE, OWN_ERRORS * own)):
        return
    beside = f"; PyTorch's own error in float32 is {own:.3g}" if own > 0 else ""
    raise ExportError(
        f"{file} differs from PyTorch's gradients: relative error {error.largest:.3g} for "
        f"{error.where[:120]}{beside}. Export without gradient graphs (--no-gradient-graphs), or "
        "report this with the model's family and sizes"
    )
