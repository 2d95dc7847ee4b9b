"""Samples with a target that can be learned, of words that the tiny model knows."""

from typing import Any

import numpy as np

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "cable", "mouse", "screen", "black", "white", "usb"]
WIDTH = 4


def make_samples(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Samples whose `gain` follows a signal, an extra and noise; every third lacks the extra."""
    rng = np.random.default_rng(seed)
    samples = []
    for n in range(count):
        extras = {"price": float(rng.normal())} if n % 3 else {}
        loss = float(rng.exponential())
        samples.append(
            {
                "id": f"s{n}",
                "group": f"q{n // 4}",
                "query": str(rng.choice(WORDS[4:])),
                "document": " ".join(rng.choice(WORDS[4:], size=int(rng.integers(1, 14)))),
                "label": int(rng.integers(2)),
                "extras": extras,
                "gain": np.sin(2 * loss) + extras.get("price", -1.0) + 0.1 * float(rng.normal()),
                "known_loss": loss,  # what the fake service and the fake rows say
            }
        )
    return samples
