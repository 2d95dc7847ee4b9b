"""Stock ONNX exports of small random rankers, as Optimum writes them, with PyTorch's answers.

    pip install onnx onnxscript
    python test/oracle/exports.py

Writes a folder for each model under test/oracle/exports/: the graph, config.json, the tokeniser's
files, and expected.json with what PyTorch says of TEXTS: token ids, logits and the input of the
last layer. The graphs come from both exporters of torch, so that `assay inspect` meets both; of the
newer one's the traces of source lines are taken out, which are most of its bytes.
"""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

# Untyped: its classes take more keywords than their types know.
transformers: Any = importlib.import_module("transformers")

FOLDER = Path(__file__).parent / "exports"
TEXTS: list[tuple[str, str | None]] = [
    ("usb c cable", "a black usb cable"),
    ("red chair", "usb c"),
    ("cable", ""),
    ("a mouse and a red chair", None),
]
WORDS = ["usb", "c", "cable", "black", "red", "chair", "mouse", "and", "a", ",", "-", "2", "m"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
SIZES: dict[str, Any] = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
}


@dataclass(frozen=True)
class Case:
    """One model: its configuration, its last layer, and how it is exported."""

    config: Any
    head: str
    exporter: Literal["torchscript", "dynamo"]
    external: bool = False

    @property
    def inputs(self) -> list[str]:
        """The graph's inputs."""
        types = self.config.model_type in ("bert", "electra")
        return ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]


def cases() -> dict[str, Case]:
    """The models by the name of their folder."""
    small = {"vocab_size": 4 + len(WORDS), "pad_token_id": 0, **SIZES}
    bytes_and_special = {"vocab_size": 256 + 4, "pad_token_id": 1, "type_vocab_size": 1, **SIZES}
    return {
        "bert": Case(transformers.BertConfig(num_labels=1, **small), "classifier", "torchscript"),
        "roberta": Case(
            transformers.RobertaConfig(
                id2label={0: "exact", 1: "partial", 2: "none"},
                label2id={"exact": 0, "partial": 1, "none": 2},
                **{**bytes_and_special, "max_position_embeddings": 66},
            ),
            "classifier.out_proj",
            "dynamo",
        ),
        "distilbert": Case(
            transformers.DistilBertConfig(
                vocab_size=4 + len(WORDS),
                dim=8,
                n_layers=1,
                n_heads=2,
                hidden_dim=16,
                max_position_embeddings=64,
                num_labels=1,
                problem_type="regression",
            ),
            "classifier",
            "dynamo",
            external=True,
        ),
        "electra": Case(
            transformers.ElectraConfig(num_labels=2, embedding_size=8, **small),
            "classifier.out_proj",
            "torchscript",
        ),
    }


def main() -> None:
    """Writes every folder again."""
    for seed, (name, case) in enumerate(cases().items()):
        folder = FOLDER / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write(folder, case, seed)
        print(name, sum(file.stat().st_size for file in folder.iterdir()), "bytes")


def write(folder: Path, case: Case, seed: int) -> None:
    """One folder: the model's files, then PyTorch's answers."""
    torch.manual_seed(seed)
    model = transformers.AutoModelForSequenceClassification.from_config(
        case.config, attn_implementation="eager"
    )
    for parameter in model.parameters():
        # Biases too, which an export leaves out where they are zero.
        nn.init.normal_(parameter, std=0.5)
    model.eval()
    tokenizer = byte_level() if case.config.model_type == "roberta" else word_piece()
    tokenizer.save_pretrained(folder)
    case.config.save_pretrained(folder)
    encoded = [encode(tokenizer, *text) for text in TEXTS]
    export(folder / "model.onnx", model, case)
    (folder / "expected.json").write_text(
        json.dumps([answer(model, case, *pair) for pair in zip(TEXTS, encoded, strict=True)]) + "\n"
    )


def encode(tokenizer: Any, first: str, second: str | None) -> dict[str, Tensor]:
    """Ids, mask and types of a text or pair, int64 (1, T)."""
    # Batched: given one text at a time, transformers 5 takes an empty second text for none.
    pair = None if second is None else [second]
    batch = tokenizer([first], pair, return_tensors="pt", return_token_type_ids=True)
    return dict(batch)


def answer(
    model: Any, case: Case, text: tuple[str, str | None], encoded: dict[str, Tensor]
) -> dict[str, Any]:
    """Token ids, logits (K) and features (H) of one text."""
    features: list[Tensor] = []
    hook = model.get_submodule(case.head).register_forward_pre_hook(
        lambda _, inputs: features.append(inputs[0])
    )
    with torch.no_grad():
        logits = model(**{name: encoded[name] for name in case.inputs}).logits
    hook.remove()
    return {
        "first": text[0],
        "second": text[1],
        "ids": encoded["input_ids"][0].tolist(),
        "logits": logits[0].tolist(),
        "features": features[0][0].tolist(),
    }


def export(path: Path, model: Any, case: Case) -> None:
    """The graph with free sizes of batch and text, and `logits` as its one output."""
    ids = torch.randint(4, case.config.vocab_size, (2, 7))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    arguments = {"input_ids": ids, "attention_mask": mask}
    if "token_type_ids" in case.inputs:
        arguments["token_type_ids"] = torch.zeros_like(ids)
    axes = {0: "batch_size", 1: "sequence_length"}
    if case.exporter == "torchscript":
        torch.onnx.export(
            model,
            (arguments,),
            str(path),
            input_names=case.inputs,
            output_names=["logits"],
            dynamic_axes={**dict.fromkeys(case.inputs, axes), "logits": {0: "batch_size"}},
            opset_version=18,
            dynamo=False,
        )
    else:
        torch.onnx.export(
            model,
            kwargs=arguments,
            f=str(path),
            input_names=case.inputs,
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(case.inputs, axes),
            external_data=False,
            dynamo=True,
        )
        strip(path)
    if case.external:
        onnx.save_model(
            onnx.load(path),
            path,
            save_as_external_data=True,
            location="model.onnx_data",
            size_threshold=64,
        )


def strip(path: Path) -> None:
    """Takes the traces out of a graph of the newer exporter."""
    model = onnx.load(path)
    graph = model.graph
    for part in [graph, *graph.node, *graph.value_info, *graph.input, *graph.output]:
        del part.metadata_props[:]
    onnx.save_model(model, path)


def word_piece() -> Any:
    """A WordPiece tokeniser of a few words; the rest is unknown to it."""
    vocabulary = {token: index for index, token in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
    )


def byte_level() -> Any:
    """A byte-level BPE tokeniser without merges, joined as RoBERTa joins."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        cls_token="<s>",
        sep_token="</s>",
        eos_token="</s>",
    )


if __name__ == "__main__":
    main()
