"""New weights of real sizes, from a checkpoint into a running service: what both ends take.

The sizes that people train, and weights beyond 2 GiB, run with ASSAY_TEST_LONG.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from real_sizes import (
    BEYOND_2_GIB,
    Run,
    copy_shifted,
    make_real_size,
    peak_bytes,
    run_measured,
)

from assay.export.estimate import memory_needed, sketch_checkpoint
from service import Service, Start
from token_texts import LONG

SIZES = ["4x384", *(["bert-base", "xlm-r-base", BEYOND_2_GIB] if LONG else [])]
HEAD_BIAS = {"xlm-r-base": "classifier.out_proj.bias"}
MEBIBYTE = 2**20
SERVICE_BYTES_MAX = 128 * MEBIBYTE  # what an upload adds to the service's own process
CLIENT_BYTES_MAX = 64 * MEBIBYTE
CHECK_S_MAX = 5  # from the last byte to the answer, for BERT-base on two cores


@pytest.mark.parametrize("size", SIZES)
def test_new_weights_come_in_with_bounded_memory_at_both_ends(
    start_service: Start, tmp_path: Path, size: str
) -> None:
    checkpoint = make_real_size(tmp_path / "checkpoint", size)
    model = tmp_path / "models" / "tiny"
    export = [sys.executable, "-m", "assay.export"]
    folder = run_measured([*export, "folder", checkpoint, model, "--no-gradient-graphs"])
    weights_bytes = (model / "weights.bin").stat().st_size
    assert size != BEYOND_2_GIB or weights_bytes > 2**31
    trained = copy_shifted(
        checkpoint, tmp_path / "trained", HEAD_BIAS.get(size, "classifier.bias"), 1
    )
    upload = tmp_path / "new.weights"
    written = run_measured([*export, "weights", trained, model, "-o", upload, "--check", "fast"])
    sketch = sketch_checkpoint(trained)
    assert sketch is not None
    foretold = memory_needed(sketch, sketch.positions_max, None)
    assert max(folder.peak_bytes, written.peak_bytes) <= foretold

    service = start_service(model)
    before, at_rest = logit(service), peak_bytes(service.pid)
    version, sent_s, checked_s = put(service, upload)
    assert logit(service) == pytest.approx(before + 1, abs=1e-4)
    # Sent again, as docs/models.md has it.
    url = f"{service.url}/v1/models/tiny/weights"
    header = "content-type: application/vnd.assay.weights"
    curl = run_measured(["curl", "-sSf", "-X", "PUT", "-H", header, "-T", upload, url])
    assert json.loads(curl.printed)["version"] == version
    at_end = peak_bytes(service.pid)
    assert at_rest is not None
    assert at_end is not None
    added = at_end - at_rest
    print(
        f"{size}: {weights_bytes / 1e6:.0f} MB; folder {took(folder)}; weights {took(written)}; "
        f"sent in {sent_s:.1f} s, checked in {checked_s:.1f} s; "
        f"service +{added / 1e6:.0f} MB; curl {took(curl)}"
    )
    assert added <= SERVICE_BYTES_MAX
    assert curl.peak_bytes <= CLIENT_BYTES_MAX
    assert size != "bert-base" or checked_s <= CHECK_S_MAX


def took(run: Run) -> str:
    """Time and memory of a command."""
    return f"{run.seconds:.1f} s, {run.peak_bytes / 1e9:.2f} GB"


def logit(service: Service) -> float:
    """The logit of one pair."""
    sample = {"query": "usb c cable", "document": "wireless mouse", "label": 1}
    return float(service.scores([sample], ["loss"])[0]["logit"])


def put(service: Service, upload: Path) -> tuple[str, float, float]:
    """Sends an upload: the new version, and the seconds until the last byte and from there on."""
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(
        str(address.hostname), address.port, timeout=600, blocksize=MEBIBYTE
    )
    headers = {
        "content-type": "application/vnd.assay.weights",
        "content-length": str(upload.stat().st_size),
    }
    started = time.monotonic()
    with upload.open("rb") as content:
        connection.request("PUT", "/v1/models/tiny/weights", content, headers)
    sent = time.monotonic()
    answer = connection.getresponse()
    body = answer.read().decode()
    checked = time.monotonic()
    connection.close()
    assert answer.status == 200, body
    return str(json.loads(body)["version"]), sent - started, checked - sent
