"""The settings of attention that the newer families have and the graphs have not."""

from __future__ import annotations

from typing import Any

from assay.export.errors import ExportError

POSITION_SCORES = ("c2p", "p2c")  # a token's query with a position's key, and the other way round


def check_modern_bert(config: Any) -> None:
    """Refuses a way of rotating whose angles are not those of the position alone.

    Raises:
        ExportError: names the kind.
    """
    for kind, parameters in config.rope_parameters.items():
        if kind in config.layer_types and parameters["rope_type"] != "default":
            raise ExportError(
                f'rope_type "{parameters["rope_type"]}" of {kind}: only "default" is supported'
            )


def check_deberta(config: Any) -> None:
    """Refuses attention that does not read relative positions as v2 and v3 do.

    Raises:
        ExportError: names the setting.
    """
    if not config.relative_attention:
        raise ExportError("relative_attention is off: only DeBERTa's own attention is supported")
    kinds = config.pos_att_type or []
    if not kinds or not set(kinds) <= set(POSITION_SCORES):
        named = "|".join(kinds) or "none"
        raise ExportError(f"pos_att_type {named}: supported are {' and '.join(POSITION_SCORES)}")
