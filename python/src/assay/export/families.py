"""The families of encoder that the exporter knows, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from assay.export.adapters import read_adapter
from assay.export.attention_settings import check_deberta, check_modern_bert
from assay.export.cross_encoder import check_cross_encoder
from assay.export.errors import ExportError


@dataclass(frozen=True)
class Family:
    """What the exporter must know of one family.

    `head` names the last linear layer, whose input is the features, `layers` the list of encoder
    layers. `token_types` says whether the graph takes token_type_ids. `positions_after_padding`:
    positions count real tokens from the padding id + 1 (RoBERTa) instead of 0, 1, 2, ...
    `body` says whose layers the family has.
    """

    name: str
    head: str
    layers: str
    token_types: bool
    positions_after_padding: bool = False
    body: Literal["bert", "distilbert", "modernbert", "deberta"] = "bert"

    @property
    def inputs(self) -> list[str]:
        """The names of the graph's inputs, each int64 (B, T)."""
        return ["input_ids", "attention_mask", *(["token_type_ids"] if self.token_types else [])]


FAMILIES = {
    "bert": Family("bert", head="classifier", layers="bert.encoder.layer", token_types=True),
    "roberta": Family(
        "roberta",
        head="classifier.out_proj",
        layers="roberta.encoder.layer",
        token_types=False,
        positions_after_padding=True,
    ),
    "xlm-roberta": Family(
        "xlm-roberta",
        head="classifier.out_proj",
        layers="roberta.encoder.layer",
        token_types=False,
        positions_after_padding=True,
    ),
    "distilbert": Family(
        "distilbert",
        head="classifier",
        layers="distilbert.transformer.layer",
        token_types=False,
        body="distilbert",
    ),
    "electra": Family(
        "electra",
        head="classifier.out_proj",
        layers="electra.encoder.layer",
        token_types=True,
    ),
    "modernbert": Family(
        "modernbert",
        head="classifier",
        layers="model.layers",
        token_types=False,
        body="modernbert",
    ),
    "deberta-v2": Family(
        "deberta-v2",
        head="classifier",
        layers="deberta.encoder.layer",
        token_types=False,
        body="deberta",
    ),
}


def family_of(config: Any) -> Family:
    """The family of a checkpoint's configuration, which must be one of `FAMILIES`.

    A DeBERTa takes token types where its table has any.
    """
    family = FAMILIES[config.model_type]
    if family.body == "deberta" and int(config.type_vocab_size) > 0:
        return replace(family, token_types=True)
    return family


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint: the model in evaluation mode, in float32, with eager attention."""

    model: nn.Module
    family: Family
    config: Any

    @property
    def classes(self) -> int:
        """K, the number of logits."""
        return int(self.config.num_labels)

    @property
    def head(self) -> nn.Linear:
        """The last linear layer."""
        module = self.model.get_submodule(self.family.head)
        assert isinstance(module, nn.Linear)
        return module

    @property
    def positions_max(self) -> int:
        """The most tokens that the position table allows."""
        rows = int(self.config.max_position_embeddings)
        return rows - self.padding_id - 1 if self.family.positions_after_padding else rows

    @property
    def padding_id(self) -> int:
        """The id of the padding token."""
        return int(self.config.pad_token_id)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Loads a sequence classification checkpoint, or a LoRA adapter merged into its base model.

    Raises:
        ExportError: the folder holds none, its family or a setting of it is not supported, or
            weights are missing from it.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    adapter = read_adapter(folder)
    base = folder if adapter is None else adapter.base
    given = {} if adapter is None else adapter.whole
    if not (base / "config.json").is_file():
        raise ExportError(f"{base} is no checkpoint: it holds no config.json")
    config = _family_config(base, AutoConfig)
    head = given.get(f"{FAMILIES[config.model_type].head}.weight")
    if head is not None and len(head) != config.num_labels:
        config.num_labels = len(head)
    check_cross_encoder(folder, config)
    family = family_of(config)
    model, report = AutoModelForSequenceClassification.from_pretrained(
        base,
        config=config,
        attn_implementation="eager",
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    mismatched = sorted(entry for entry in report["mismatched_keys"] if entry[0] not in given)
    if mismatched:
        name, saved, expected = mismatched[0]
        of_head = name.startswith(f"{family.head}.")
        hint = f", with {config.num_labels} label(s): does id2label list all labels?"
        raise ExportError(
            f"{name} is {list(saved)} in the checkpoint and {list(expected)} by its config.json"
            f"{hint if of_head else ''}"
        )
    missing = sorted(set(report["missing_keys"]) - given.keys())
    if missing:
        raise ExportError(
            f"the checkpoint lacks weights that {family.name} needs: {', '.join(missing[:5])}"
            f"{' and more' if len(missing) > 5 else ''}. Is it a sequence classification model?"
        )
    model.eval().requires_grad_(False)
    if adapter is not None:
        adapter.merge(model)
    return Checkpoint(model, family, config)


def _family_config(folder: Path, loader: Any) -> Any:
    supported = ", ".join(FAMILIES)
    try:
        config = loader.from_pretrained(folder)
    except (ValueError, KeyError) as error:
        raise ExportError(
            f"transformers does not know this architecture ({error}). Supported: {supported}"
        ) from error
    if config.model_type not in FAMILIES:
        raise ExportError(f'family "{config.model_type}" is not supported. Supported: {supported}')
    positions = getattr(config, "position_embedding_type", None) or "absolute"
    if positions != "absolute":
        raise ExportError(f'position_embedding_type "{positions}": only "absolute" is supported')
    if config.model_type == "modernbert":
        check_modern_bert(config)
    if config.model_type == "deberta-v2":
        check_deberta(config)
    if getattr(config, "is_decoder", False):
        raise ExportError("is_decoder is set: only encoders are supported")
    if config.problem_type == "multi_label_classification":
        raise ExportError(
            "multi-label models (one sigmoid a class) are not supported: "
            "K > 1 logits are read as one softmax"
        )
    return config


def token_positions(checkpoint: Checkpoint, input_ids: Tensor) -> Tensor:
    """The position ids of ids, int64 (B, T) both."""
    if not checkpoint.family.positions_after_padding:
        return torch.cumsum(torch.ones_like(input_ids), dim=1) - 1
    padding = checkpoint.padding_id
    real = (input_ids != padding).to(torch.int64)
    return torch.cumsum(real, dim=1) * real + padding
