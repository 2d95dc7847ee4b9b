"""What sentence-transformers writes beside a CrossEncoder's checkpoint, and what a service needs.

Three generations of files say it: `sbert_ce_default_activation_function` in config.json (before
4.0), the entry `sentence_transformers` there, and modules.json with two files beside it. A folder
without any of them is a plain checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from assay.export.errors import ExportError

# The last name of the activation's path to whether it suits one logit and several. A service gives
# logits and the probabilities of its own: sigmoid of one logit, softmax of several.
ACTIVATIONS = {"Identity": (True, True), "Sigmoid": (True, False), "Softmax": (False, True)}


def check_cross_encoder(folder: Path, config: Any) -> None:
    """Holds a folder's CrossEncoder files against what a service represents.

    A sigmoid says that scores are probabilities. It outweighs `problem_type` "regression", which
    transformers sets by itself: the entry is taken from `config`, so that the task is binary.

    Raises:
        ExportError: an activation, module, prompt or lower case that a service has not.
    """
    modules = _read(folder / "modules.json")
    settings = _read(folder / "config_sentence_transformers.json") or {}
    transformer = _read(folder / "sentence_bert_config.json") or {}
    if modules is not None:
        _check_modules(modules, settings, transformer)
    activation = _activation(settings, config)
    if activation is None:
        return
    _check_activation(activation, int(config.num_labels))
    if _last(activation) == "Sigmoid" and config.problem_type == "regression":
        config.problem_type = None


def tokens_max_of(folder: Path) -> int | None:
    """The longest input that a CrossEncoder's own file names, which outweighs the tokeniser's."""
    limit = (_read(folder / "sentence_bert_config.json") or {}).get("max_seq_length")
    return None if limit is None else int(limit)


def _check_modules(
    modules: list[dict[str, Any]], settings: dict[str, Any], transformer: dict[str, Any]
) -> None:
    kind = settings.get("model_type", "CrossEncoder")
    if kind != "CrossEncoder":
        raise ExportError(
            f"the folder holds a {kind} of sentence-transformers, which embeds each text by "
            "itself: a CrossEncoder is needed"
        )
    others = [_last(str(module["type"])) for module in modules[1:]]
    if others or not modules or _last(str(modules[0]["type"])) != "Transformer":
        named = ", ".join(_last(str(module["type"])) for module in modules) or "none"
        raise ExportError(
            f"modules.json lists {named}: only a CrossEncoder of one module, Transformer, is "
            "supported"
        )
    if modules[0].get("path"):
        raise ExportError(
            f"modules.json puts the Transformer into {modules[0]['path']}: export that folder"
        )
    task = transformer.get("transformer_task", "sequence-classification")
    if task != "sequence-classification":
        raise ExportError(
            f'sentence_bert_config.json: transformer_task "{task}": only "sequence-classification" '
            "is supported"
        )
    if transformer.get("do_lower_case"):
        raise ExportError(
            "sentence_bert_config.json: do_lower_case is set, and a service does not lower texts "
            "before it tokenises them: set do_lower_case in tokenizer_config.json instead"
        )
    prompt = settings.get("default_prompt_name")
    if prompt is not None and (settings.get("prompts") or {}).get(prompt):
        raise ExportError(
            f'config_sentence_transformers.json: the prompt "{prompt}" is put before every text, '
            "and a service adds none: set default_prompt_name to null and send texts with it"
        )


def _activation(settings: dict[str, Any], config: Any) -> str | None:
    """The path of the activation, of the newest file that names one."""
    entry = getattr(config, "sentence_transformers", None) or {}
    named = (
        settings.get("activation_fn"),
        entry.get("activation_fn"),
        entry.get("default_activation_function"),
        getattr(config, "sbert_ce_default_activation_function", None),
    )
    return next((str(path) for path in named if path is not None), None)


def _check_activation(activation: str, classes: int) -> None:
    name = _last(activation)
    if not activation.startswith("torch.") or name not in ACTIVATIONS:
        raise ExportError(
            f"the CrossEncoder's scores are {activation} of its logits, and a service gives logits "
            "and their sigmoid or softmax: only Identity, Sigmoid and Softmax of torch.nn are "
            "supported. Set activation_fn to torch.nn.modules.linear.Identity to be served logits"
        )
    if not ACTIVATIONS[name][classes > 1]:
        raise ExportError(
            "the CrossEncoder's scores are the softmax of one logit, which is always 1: set "
            "activation_fn to torch.nn.modules.linear.Identity"
            if classes == 1
            else f"the CrossEncoder's scores are a sigmoid for each of its {classes} classes "
            "(multi-label): K > 1 logits are read as one softmax"
        )


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _read(file: Path) -> Any:
    """The content of a JSON file; None where there is none."""
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ExportError(f"{file.name} is no JSON: {error}") from error
