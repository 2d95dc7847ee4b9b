"""Checkpoints of the sizes that people train, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from checkpoints import make_checkpoint

TOKENS = 512
SIZES: dict[str, tuple[str, dict[str, int]]] = {
    "4x384": (
        "bert",
        {
            "hidden_size": 384,
            "num_attention_heads": 12,
            "num_hidden_layers": 4,
            "vocab_size": 4_000,
        },
    ),
    "12x384": ("bert", {"hidden_size": 384, "num_attention_heads": 12}),
    "bert-base": ("bert", {"hidden_size": 768, "num_attention_heads": 12}),
    "xlm-r-base": (
        "xlm-roberta",
        {"hidden_size": 768, "num_attention_heads": 12, "vocab_size": 250_002},
    ),
    "bert-large": (
        "bert",
        {"hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24},
    ),
}


def make_real_size(folder: Path, size: str) -> Path:
    """Saves a checkpoint of a size of `SIZES`, 512 tokens long, and its tokeniser.

    The noise is what float32 bears: at a tenth of the tiny checkpoints' a gradient is so small a
    difference of large terms that the gram of 512 tokens errs by more than 1e-5; at all of it every
    softmax saturates.
    """
    family, given = SIZES[size]
    config: dict[str, Any] = {
        "num_hidden_layers": 12,
        "vocab_size": 30_522,
        "intermediate_size": 4 * given["hidden_size"],
        "max_position_embeddings": TOKENS + (2 if family == "xlm-roberta" else 0),
        **given,
    }
    return make_checkpoint(folder, family, noise=0.2, **config)
