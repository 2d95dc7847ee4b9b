"""The name of what a model folder computes.

The service's version of a model is made of weights.bin, tokenizer.json and this name. Graphs that
are drawn again compute the same, so they keep the name, and the model its version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from assay.export.check import TOLERANCES
from assay.export.errors import ExportError
from assay.export.external_weights import LOCATION
from assay.export.manifest import read_manifest
from assay.export.model import Model
from assay.export.texts import texts_of

REVISION = 1  # raise it when the same settings give other logits than before
UNREAD = {  # settings that do not change a logit: of training, of names, of other uses of the model
    "_name_or_path",
    "architectures",
    "bos_token_id",
    "chunk_size_feed_forward",
    "cls_token_id",
    "dtype",
    "eos_token_id",
    "id2label",
    "initializer_cutoff_factor",
    "initializer_range",
    "label2id",
    "position_embedding_type",  # always absolute
    "problem_type",
    "return_dict",
    "sbert_ce_default_activation_function",
    "sentence_transformers",
    "sep_token_id",
    "tie_word_embeddings",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}


def name_function(config: Mapping[str, Any], pair: Mapping[str, Any], tokens_max: int) -> str:
    """The name of what a checkpoint of `config` computes from texts of at most `tokens_max` tokens.

    `config` holds what config.json holds, and `pair` the manifest's template. Equal weights, tokens
    and names give equal logits. A setting that is not known to be unread, and is set, counts.
    """
    settings = {
        key: value
        for key, value in config.items()
        if key not in UNREAD and "dropout" not in key and value not in (None, False, 0)
    }
    content = json.dumps([REVISION, settings, pair, tokens_max], sort_keys=True)
    return f"{config['model_type']}:{hashlib.sha256(content.encode()).hexdigest()}"


def function_of(manifest: Mapping[str, Any]) -> str:
    """The name that a folder has.

    Exporters before this name wrote none, and the service took the digest of the forward graph.
    """
    return str(
        manifest.get("function") or manifest["files"][manifest["graphs"]["forward"]]["sha256"]
    )


def declare_function(
    model: Model, config: Mapping[str, Any], files: Mapping[str, Any], out: Path
) -> str:
    """The name of a new folder's function: that of the folder at `out`, if it computes the same.

    `config` is the content of the new folder's config.json, and `files` describes its files.
    """
    pair, tokens_max = model.tokenizer.template.entry(), model.tokens_max
    name = name_function(config, pair, tokens_max)
    try:
        before = read_manifest(out)
        settings = json.loads((out / "config.json").read_text("utf-8"))
    except (ExportError, OSError, ValueError):
        return name  # there is no folder of an exporter
    is_same = (
        all(before["files"].get(file) == files[file] for file in (LOCATION, "tokenizer.json"))
        and name_function(settings, before["pair"], before["max_tokens"]) == name
        and answers_differ(model, before["self_test"]["samples"]) is None
    )
    return function_of(before) if is_same else name


def answers_differ(model: Model, samples: Sequence[Mapping[str, Any]]) -> str | None:
    """Which logit of a folder's self-test the model gives otherwise; None where it gives all."""
    texts = texts_of(samples)
    expected = np.array([sample["logits"] for sample in samples])
    found = model.outputs(texts).logits
    difference = np.abs(found - expected)
    row, column = divmod(int(np.argmax(difference)), difference.shape[1])
    if difference[row, column] <= TOLERANCES["logits"] * max(1.0, float(np.abs(expected).max())):
        return None
    return (
        f"logits[{column}] is {found[row, column]:.6g} instead of {expected[row, column]:.6g} for "
        f"{str(texts[row].entry())[:120]}"
    )
