"""LoRA adapters: the export of one is the export of its base model with the change added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from assay.export.errors import ExportError
from assay.export.families import load_checkpoint
from assay.export.folder import Options, export_folder
from assay.export.restore import restore_folder
from autograd import TEXTS
from checkpoints import make_checkpoint

RANK = 4
QUERY = "bert.encoder.layer.0.attention.self.query"
WIDE = "bert.encoder.layer.1.intermediate.dense"
WORDS = "bert.embeddings.word_embeddings"
SETTINGS: dict[str, Any] = {
    "peft_type": "LORA",
    "base_model_name_or_path": "../base",
    "r": RANK,
    "lora_alpha": 8,
    "bias": "none",
}


def lora(module: str, outputs: int, inputs: int, rank: int = RANK) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(len(module))
    return {
        f"base_model.model.{module}.lora_A.weight": torch.randn(rank, inputs, generator=random),
        f"base_model.model.{module}.lora_B.weight": torch.randn(outputs, rank, generator=random),
    }


def adapter(folder: Path, tensors: dict[str, Tensor], **settings: Any) -> Path:
    """An adapter beside a base model of two labels, from which its head is trained anew to one."""
    make_checkpoint(folder / "base", "bert", 2)
    source = folder / "adapter"
    source.mkdir()
    head = {
        "base_model.model.classifier.weight": torch.linspace(-1, 1, 32).reshape(1, 32),
        "base_model.model.classifier.bias": torch.tensor([0.25]),
    }
    save_file({**tensors, **head}, source / "adapter_model.safetensors")
    (source / "adapter_config.json").write_text(json.dumps({**SETTINGS, **settings}), "utf-8")
    return source


def with_terms(source: Path, terms: dict[str, float]) -> Any:
    """The logits of `TEXTS` by the base model, whose modules add scale·B·A·x as they run."""
    restored = restore_folder(source.parent / "model")
    model = load_checkpoint(source.parent / "base").model
    tensors = {
        name.removeprefix("base_model.model."): value
        for name, value in torch.load(source.parent / "tensors.pt").items()
    }

    def add(module: str, scale: float) -> Any:
        down, up = (tensors[f"{module}.lora_{side}.weight"] for side in "AB")
        return lambda _, inputs, outputs: outputs + scale * inputs[0] @ down.T @ up.T

    for module, scale in terms.items():
        model.get_submodule(module).register_forward_hook(add(module, scale))
    head = nn.Linear(32, 1)
    head.weight.data = torch.linspace(-1, 1, 32).reshape(1, 32)
    head.bias.data = torch.tensor([0.25])
    whole: Any = model
    whole.classifier = head
    whole.num_labels = 1
    inputs = restored.tokenizer.batch(TEXTS, 64)
    with torch.no_grad():
        return whole(**inputs).logits.numpy()


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, 2.0),
        ({"use_rslora": True}, 4.0),
        ({"alpha_pattern": {"layer.0.attention.self.query": 2}}, 0.5),
        ({"alpha_pattern": {"uery": 2}}, 2.0),  # no whole part of the name
    ],
)
def test_an_adapter_is_merged_and_every_graph_made(
    tmp_path: Path, settings: dict[str, Any], scale: float
) -> None:
    tensors = {**lora(QUERY, 32, 32), **lora(WIDE, 48, 32)}
    source = adapter(tmp_path, tensors, **settings)
    torch.save(tensors, tmp_path / "tensors.pt")
    manifest = export_folder(source, tmp_path / "model", Options("tiny", gradient_graphs=False))
    assert (manifest["classes"], manifest["task"], manifest["max_tokens"]) == (1, "binary", 64)
    logits = restore_folder(tmp_path / "model").outputs(TEXTS).logits
    terms = {QUERY: scale, WIDE: 4.0 if settings.get("use_rslora") else 2.0}
    np.testing.assert_allclose(logits, with_terms(source, terms), atol=1e-5)


def test_rows_of_a_table_and_biases_are_merged(tmp_path: Path) -> None:
    base = load_checkpoint(make_checkpoint(tmp_path / "known", "bert", 2)).model
    words = base.get_submodule(WORDS)
    assert isinstance(words, nn.Embedding)
    down, up = torch.randn(RANK, words.num_embeddings), torch.randn(32, RANK)
    bias = torch.arange(32.0)
    prefix = "base_model.model."
    source = adapter(
        tmp_path,
        {
            f"{prefix}{WORDS}.lora_embedding_A": down,
            f"{prefix}{WORDS}.lora_embedding_B": up,
            f"{prefix}{QUERY}.base_layer.bias": bias,
            f"{prefix}classifier.original_module.bias": torch.ones(1),
        },
    )
    merged = load_checkpoint(source).model
    expected = words.weight + 2.0 * (up @ down).T
    torch.testing.assert_close(merged.get_parameter(f"{WORDS}.weight").data, expected)
    torch.testing.assert_close(merged.get_parameter(f"{QUERY}.bias").data, bias)


def test_an_adapter_in_the_older_file_is_read(tmp_path: Path) -> None:
    tensors = lora(QUERY, 32, 32)
    source = adapter(tmp_path, tensors)
    first = load_checkpoint(source).model.get_parameter(f"{QUERY}.weight")
    from safetensors.torch import load_file

    torch.save(load_file(source / "adapter_model.safetensors"), source / "adapter_model.bin")
    (source / "adapter_model.safetensors").unlink()
    second = load_checkpoint(source).model.get_parameter(f"{QUERY}.weight")
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    (source / "adapter_model.bin").unlink()
    with pytest.raises(ExportError, match=r"without adapter_model\.safetensors"):
        load_checkpoint(source)


@pytest.mark.parametrize(
    ("settings", "tensors", "words"),
    [
        ({"peft_type": "IA3"}, {}, "an adapter of kind IA3: only LORA is merged"),
        ({"use_dora": True}, {}, "use_dora is set: only a plain LoRA is merged"),
        (
            {"init_lora_weights": "pissa"},
            {},
            'init_lora_weights "pissa", which may change the base',
        ),
        ({"base_model_name_or_path": "org/name"}, {}, 'base model "org/name" is no folder'),
        ({"base_model_name_or_path": None}, {}, 'base model "" is no folder'),
        ({"base_model_name_or_path": "."}, {}, "is an adapter itself"),
        ({}, lora("bert.nothing", 32, 32), "changes bert.nothing.weight, which"),
        ({}, lora(WIDE, 32, 32), r"is \[32, 32\], that of .* is \[48, 32\]"),
        (
            {},
            {f"base_model.model.{QUERY}.lora_A.weight": torch.zeros(4, 32)},
            "holds lora_A.weight of .* without the other",
        ),
        (
            {},
            {f"base_model.model.{QUERY}.lora_magnitude_vector": torch.zeros(32)},
            "lora_magnitude_vector, which no plain LoRA has: merge it with peft",
        ),
    ],
)
def test_what_is_not_merged_is_refused(
    tmp_path: Path, settings: dict[str, Any], tensors: dict[str, Tensor], words: str
) -> None:
    source = adapter(tmp_path, tensors, **settings)
    with pytest.raises(ExportError, match=words):
        load_checkpoint(source)
