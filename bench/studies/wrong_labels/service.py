"""The compiled service in a process of its own, and what it answers."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from protocol import SIGNALS

from assay.training.data import Offers

ROOT = Path(__file__).resolve().parents[3]
SHIPPED_FOLDER = ROOT / "models/default"
SAMPLES_A_REQUEST = 100
TIMEOUT_S = 3600
Columns = dict[str, npt.NDArray[np.float64]]  # signal or "logit" → (N)


@contextmanager
def started_service() -> Iterator[str]:
    """Host and port of a service on a copy of the shipped model folder and a store of its own.

    Raises RuntimeError with what it printed where it ends before it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder, "models")
        shutil.copytree(SHIPPED_FOLDER, models / SHIPPED_FOLDER.name)
        own = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
        settings = {
            "ASSAY_PORT": "0",
            "ASSAY_DATA_DIR": str(Path(folder, "data")),
            "ASSAY_MODELS_DIR": str(models),
            "ASSAY_LOG_LEVEL": "warn",
        }
        command = ["node", str(ROOT / "dist/cli.js"), "serve"]
        with subprocess.Popen(
            command, env=own | settings, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield _address(process)
            finally:
                process.terminate()
                process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    printed, address = "", None
    for line in process.stdout or ():
        printed += line
        listens = re.match(r"Assay listens on http://(\S+),", line)
        address = listens[1] if listens else address
        if address is not None and re.match(r"Model \S+ is ready", line):
            return address
    raise RuntimeError(f"the service ended; it printed:\n{printed}")


def put_weights(address: str, upload: Path) -> None:
    """Make the service serve the weights of `upload`."""
    headers = {"content-type": "application/vnd.assay.weights"}
    route = f"/v1/models/{SHIPPED_FOLDER.name}/weights"
    _answer(address, "PUT", route, upload.read_bytes(), headers)


def score(address: str, offers: Sequence[Offers], labels: npt.NDArray[np.int64]) -> Columns:
    """Every signal of the study and the logit of `offers`, had they these labels (N)."""
    samples = [
        {"query": offer.query, "document": offer.document, "label": int(label)}
        for offer, label in zip(offers, labels, strict=True)
    ]
    rows: list[dict[str, float]] = []
    for start in range(0, len(samples), SAMPLES_A_REQUEST):
        batch = samples[start : start + SAMPLES_A_REQUEST]
        body = json.dumps({"signals": SIGNALS, "weighting": None, "samples": batch})
        headers = {"content-type": "application/json"}
        rows += json.loads(_answer(address, "POST", "/v1/score", body.encode(), headers))["results"]
    return {name: np.array([row[name] for row in rows]) for name in ("logit", *SIGNALS)}


def _answer(address: str, method: str, route: str, body: bytes, headers: dict[str, str]) -> str:
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
    connection.request(method, route, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {route} is answered {answer.status}: {text}")
    return text
