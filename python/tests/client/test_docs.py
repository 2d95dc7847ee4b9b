"""The code of docs/client.md, run from top to bottom against the service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from assay.export.restore import restore_folder
from service import ROOT, Service

PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_runs_as_it_is_written(
    service: Service,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    restored = restore_folder(ROOT / "models" / "default")
    names: dict[str, Any] = {
        "module": restored.checkpoint.model,
        "tokenizer": restored.tokenizer.reference,
    }
    code = "".join(BLOCKS).replace("http://127.0.0.1:8080", service.url)
    code = code.replace('push_weights(module, "default"', 'push_weights(module, "pushed"')
    exec(compile(code, "docs/client.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "unsuitable_label (422): row 2, clicked: bce takes a label from 0 to 1, not 7" in printed
    assert "unsuitable_label 422 2 clicked" in printed
    assert names["weights"].tolist()[2] == 1.0
    assert set(names["multipliers"]) == set(names["drawn"].ids)
    assert len(names["varied"].ids) == 2
    assert names["varied"].without_embedding == 0
    assert (names["part"].name, names["part"].samples) == ("1", 1)
    assert names["table"].num_rows == 3
    assert (tmp_path / "shop.csv").read_text().count("\n") == 4
    assert names["served"].provenance["step"] == 1200
    names["client"].delete_dataset("shop")
    names["client"].delete_dataset("clicks")


def test_the_page_names_every_method_and_code() -> None:
    from assay import Client

    methods = [name for name in dir(Client) if name[0] != "_"]
    missing = [name for name in methods if f"{name}(" not in PAGE]
    assert missing == []
    from assay.client import errors

    codes = re.findall(r"`(\w+)`", (errors.AssayError.__doc__ or "").partition("client's:")[2])
    assert [code for code in codes if code != "status" and f"| `{code}`" not in PAGE] == []
