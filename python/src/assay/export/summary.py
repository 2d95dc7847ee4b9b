"""What a command prints of the manifest that it wrote."""

from __future__ import annotations

import math
from typing import Any

from assay.export.gradients.kinds import GRADIENT_TRACES
from assay.export.gradients.scope import scope_of_manifest


def precision_lines(precision: dict[str, Any]) -> list[str]:
    """How near the graphs are to PyTorch, a line each."""
    fp32 = precision["fp32"]
    lines = [
        f"forward.onnx: largest error of a logit {fp32['logit_error_max']:.2g} "
        f"over {fp32['texts']} texts, against PyTorch",
    ]
    int8 = precision.get("int8")
    if int8:
        line = (
            f"forward.int8.onnx: Spearman {int8['spearman']} with forward.onnx over "
            f"{int8['texts']} texts ({int8['on']})"
        )
        if int8["probability_shift_max"] is not None:
            line += (
                f", shift of a probability: 99% within {int8['probability_shift_p99']}, "
                f"largest {int8['probability_shift_max']}"
            )
        lines.append(line)
        if int8["products_saturate"]:
            lines.append(
                "  measured with 8-bit products that saturate, because this CPU has no VNNI: on a "
                "CPU with VNNI the int8 graph is nearer"
            )
    return lines + _gradients(precision.get("gradients"))


def _gradients(gradients: dict[str, Any] | None) -> list[str]:
    if gradients is None:
        return []
    if "unsupported" in gradients:
        return [f"no gradient graphs: {gradients['unsupported']}"]
    known = [kind for kind in GRADIENT_TRACES if f"{kind}_error_max" in gradients]
    errors = ", ".join(f"{kind} {gradients[f'{kind}_error_max']:.2g}" for kind in known)
    return [
        f"gradient graphs: largest relative error {errors} over {gradients['texts']} texts, "
        "against PyTorch"
    ]


def scope_lines(manifest: dict[str, Any], *, asked: bool) -> list[str]:
    """What the gradient graphs are of, and how to change it where nobody has `asked` for it."""
    scope = scope_of_manifest(manifest)
    if scope is None:
        return []
    sizes = {entry["name"]: math.prod(entry["shape"]) for entry in manifest["parameters"]}
    line = (
        f"gradient scope: {scope.name}, {sum(sizes[name] for name in scope.parameters):,} of "
        f"{sum(sizes.values()):,} parameters"
    )
    if not asked:
        line += " (not asked for: --gradient-scope all, head, last:N or a pattern changes it)"
    return [line]
