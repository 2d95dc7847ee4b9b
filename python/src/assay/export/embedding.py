"""The output `embedding`: the mean of what the first encoder layer reads, over a text's tokens.

It is the masked mean after the embedding layer. bench/studies/near_copies measured which vector of
a ranker finds near-copies: this one, before any layer, and far better than the features.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, matmul

AFTER = "embeddings"  # where it is taken, as the manifest says it


def describe_embedding(config: Any) -> dict[str, Any]:
    """The manifest's part about the output, of a checkpoint's configuration."""
    return {"size": int(config.hidden_size), "after": AFTER}


def mean_of_tokens(rows: Tensor, mask: Tensor) -> Tensor:
    """Rows (B·T, H) or (B, T, H) to the mean over each text's tokens without padding, (B, H).

    `mask`, int64 (B, T), is 1 at tokens and 0 at padding.
    """
    real = mask.to(rows.dtype)
    shares = real / real.sum(1, keepdim=True)
    tokens = rows.reshape(mask.shape[0], -1, rows.shape[-1])
    return matmul(shares.unsqueeze(1), tokens).squeeze(1)
