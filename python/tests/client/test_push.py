"""Weights from a torch module into the running service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
import torch
from torch import nn

from assay import AssayError, Client
from assay.client import Limits
from assay.client.push.served import compare_served
from assay.client.push.source import read_source
from assay.client.push.upload import Upload, make_upload
from assay.export.restore import restore_folder
from fake_service import FakeService, connect, scored
from service import ROOT, Service
from token_texts import LONG

PAIR = {"query": "usb c cable", "document": "USB-C charging cable, 2 m"}
SHIPPED = ROOT / "models" / "default"


@pytest.fixture(scope="module")
def ranker() -> tuple[Any, Any]:
    """The shipped ranker as a torch module, and its tokeniser."""
    restored = restore_folder(SHIPPED)
    return restored.checkpoint.model, restored.tokenizer.reference


def logit(client: Client) -> float:
    return float(client.score([PAIR], model="pushed")["logit"][0])


def shifted(module: Any, by: float) -> None:
    with torch.no_grad():
        module.classifier.bias += by


def test_a_module_that_is_being_trained_is_served_and_stays_as_it_is(
    client: Client, ranker: tuple[Any, Any]
) -> None:
    module, tokenizer = ranker
    torch.manual_seed(0)
    with torch.no_grad():  # Not what int8 has held: the self-test has to be of the stored values.
        for value in module.parameters():
            value.add_(torch.randn_like(value) * value.abs().mean() / 20)
        encoded = tokenizer(*PAIR.values(), return_tensors="pt")
        expected = float(module.eval()(**encoded).logits)
    module.train()
    values = {name: value.clone() for name, value in module.state_dict().items()}
    model = client.push_weights(
        module,
        "pushed",
        tokenizer=tokenizer,
        provenance={"step": 300},
        metrics={"ap": 0.5},
        check="full",
        texts=pd.DataFrame([PAIR, {"query": "", "document": "garden chair " * 200}]),
    )
    assert logit(client) == pytest.approx(expected, abs=0.2)
    assert model.provenance["step"] == 300
    assert model.metrics == {"ap": 0.5}
    assert client.model("pushed").version == model.version != client.model("default").version
    assert module.training
    assert all(part.training for part in module.modules())
    assert all(torch.equal(values[name], value) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, nn.Module.bfloat16, *([torch.compile] if LONG else [])]
)
def test_a_wrapped_or_narrow_module_is_copied_to_float32(
    wrap: Callable[[Any], Any],
) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    wrapped = wrap(module)
    model = read_source(wrapped, "a tokeniser").model
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias"]
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not any(part.training for part in model.modules())
    assert all(part.training for part in module.modules())
    for own, copied in zip(module.parameters(), model.parameters(), strict=True):
        assert torch.equal(own.float(), copied)
        assert own.data_ptr() != copied.data_ptr()


def test_a_cross_encoder_has_its_own_tokeniser() -> None:
    class CrossEncoder(nn.Module):
        model = nn.Linear(2, 2)
        tokenizer = "its own"

    source = read_source(CrossEncoder(), None)
    assert isinstance(source.model, nn.Linear)
    assert source.tokenizer == "its own"


def test_a_checkpoints_folder_gives_weights_that_are_served_even_if_a_full_check_fails(
    client: Client, ranker: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, tokenizer = ranker
    shifted(module, 1)
    module.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    before = logit(client)
    monkeypatch.setattr(Upload, "tolerance", -1.0)
    with pytest.raises(AssayError, match="pushed serves the new weights, but 5 of 5 texts differ"):
        client.push_weights(tmp_path, "pushed", check="full")
    assert logit(client) == pytest.approx(before + 1, abs=0.1)


@dataclass(frozen=True)
class Halves:
    """An upload whose model gives 0.5 for every text, as `scored` of the fake service does."""

    texts = (PAIR,)
    tolerance = 0.01

    def logits(self, text: dict[str, str]) -> list[float]:
        return [0.6] if text.get("text") == "another" else [0.5]


def compared(version: str, texts: Any) -> list[Any]:
    """The bodies of the requests that compare, of a service that serves version v1."""
    model = SimpleNamespace(name="pushed", version=version)
    plan = compare_served(cast(Any, Halves()), cast(Any, model), texts, Limits())
    service = FakeService(scored)
    connect("sync", service)._driver.run(plan)
    return service.bodies


def test_a_full_check_compares_the_served_logits_with_the_modules() -> None:
    fields: dict[str, Any] = {
        "model": "pushed",
        "signals": [],
        "precision": "fp32",
        "weighting": None,
    }
    texts = [{"query": "1", "document": "d", "label": 1}, {"query": "2", "document": "d"}]
    sent = [{"query": query, "document": "d"} for query in ("1", "2")]
    assert compared("v1", texts) == [fields | {"samples": sent}]


def test_a_full_check_names_the_texts_that_differ_and_a_model_that_was_replaced() -> None:
    texts = [{"query": "1", "document": "d"}, {"query": "1", "text": "another"}]
    with pytest.raises(AssayError, match="1 of 2 texts differ by more than 0") as error:
        compared("v1", texts)
    assert (error.value.code, error.value.faults[0].row) == ("weights_differ", 1)
    with pytest.raises(AssayError, match="it served v1 when v2 was to be compared"):
        compared("v2", texts)


def test_what_does_not_fit_is_refused_by_name(
    client: Client, ranker: tuple[Any, Any], tmp_path: Path
) -> None:
    module, tokenizer = ranker
    served = logit(client)

    def refused(source: Any, **options: Any) -> str:
        with pytest.raises(AssayError) as error:
            client.push_weights(source, "pushed", **options)
        assert error.value.code in ("unsuitable_model", "weights_invalid")
        return str(error.value)

    assert "pass tokenizer=" in refused(module)
    assert "holds no config.json" in refused(tmp_path)
    assert "LayerNorm.bias is absent in the checkpoint and [384] in the folder (and" in refused(
        nn.Linear(2, 2), tokenizer=tokenizer
    )
    with pytest.raises(TypeError, match="pass a torch module"):
        client.push_weights(3, "pushed")
    assert logit(client) == served


def test_the_service_refuses_a_tokeniser_of_other_tokens(
    client: Client, ranker: tuple[Any, Any]
) -> None:
    module, tokenizer = ranker
    served = logit(client)

    class Backwards:
        model_input_names = tokenizer.model_input_names

        def __call__(self, *texts: Any, **options: Any) -> Any:
            encoded = tokenizer(*texts, **options)
            return {name: [row[::-1] for row in rows] for name, rows in encoded.items()}

    with pytest.raises(AssayError, match=r"weights_invalid.*Self-test of pushed"):
        client.push_weights(module, "pushed", tokenizer=Backwards())
    assert logit(client) == served


def test_the_folders_own_weights_give_its_own_bytes(client: Client, service: Service) -> None:
    restored = restore_folder(SHIPPED)
    manifest = service.send("GET", "/v1/models/default/manifest", None)
    upload = make_upload(restored.checkpoint.model, manifest, restored.tokenizer.reference, {}, {})
    weights = upload.content[-int(manifest["files"]["weights.bin"]["bytes"]) :]
    own = (SHIPPED / "weights.bin").read_bytes()
    different = sum(a != b for a, b in zip(weights, own, strict=True))
    assert different < len(own) / 100  # scales of stored weights are off by a last bit


NEEDED = """
import json, sys
for name in ("onnx", "onnxruntime", "scipy", "sklearn", "packaging", "safetensors"):
    sys.modules[name] = None
import torch
from types import SimpleNamespace
from assay.client.push.source import read_source
from assay.client.push.upload import make_upload

class Ranker(torch.nn.Module):
    def __init__(self, parameters):
        super().__init__()
        for parameter in parameters:
            *path, name = parameter["name"].split(".")
            place = self
            for part in path:
                if not hasattr(place, part):
                    place.add_module(part, torch.nn.Module())
                place = getattr(place, part)
            place.register_parameter(name, torch.nn.Parameter(torch.zeros(parameter["shape"])))
    def forward(self, **inputs):
        return SimpleNamespace(logits=torch.zeros(1, 1))

class Tokenizer:
    model_input_names = ["input_ids"]
    def __call__(self, first, second, **options):
        return {"input_ids": [[1, 2]], "token_type_ids": [[0, 0]]}

manifest = json.load(open(sys.argv[1]))
upload = make_upload(Ranker(manifest["parameters"]), manifest, Tokenizer(), {}, {})
assert len(upload.content) > manifest["files"]["weights.bin"]["bytes"]
loaded = [n for n in ("transformers", "tokenizers") if n in sys.modules]
assert loaded == [], loaded
"""


def test_a_push_needs_torch_and_nothing_of_the_exporters() -> None:
    program = [sys.executable, "-c", NEEDED, str(SHIPPED / "model.json")]
    subprocess.run(program, check=True)
