"""The sum of what the places contribute, in an order in which ONNX Runtime forgets them early."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def total(terms: Sequence[Tensor]) -> Tensor:
    """The sum of the places' terms, of one shape and in the order of the pull-back.

    ONNX Runtime walks back from the outputs and takes, of a node's inputs, the one that was written
    last. The sums are written after all terms, each adding one term to the sum before: so a place
    is read as soon as the pull-back has made it. A term must end in an operator that is not fused
    with another, which would count as written later: a Reshape.
    """
    found = terms[0]
    for term in terms[1:]:
        found = found + term
    return found
