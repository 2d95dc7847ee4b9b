"""A model folder as a Hugging Face checkpoint, which is what the peers serve.

.venv/bin/python bench/peers/checkpoint.py models/default OUT
"""

import sys
from pathlib import Path

from transformers import AutoTokenizer

from assay.export.restore import restore_folder


def write_checkpoint(folder: Path, out: Path) -> None:
    """Writes config, weights (dequantised, float32) and tokenizer to `out`."""
    restored = restore_folder(folder)
    restored.checkpoint.model.save_pretrained(out)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = int(restored.manifest["max_tokens"])
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    write_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]))
