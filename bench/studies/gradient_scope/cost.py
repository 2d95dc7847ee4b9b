"""What the graphs of each scope take: time beside forward.onnx, size of a direction, memory."""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from assay.export.batches import plan_batches
from assay.export.external_weights import LOCATION, externalise_weights
from assay.export.gradients.kinds import GRADIENT_TRACES, direction_name
from assay.export.gradients.scope import Scope, find_scope
from assay.export.model import Model
from assay.export.restore import restore_folder
from assay.export.texts import Text
from assay.export.weights import Parameter, Weights
from assay.training.data import Offers
from checkpoints import SHIPPED_FOLDER

SCOPES = ("head", "last:1", "last:2", "last:4", "all")
ROUNDS = 5
TIMED_BATCHES = 1
Feeds = dict[str, np.ndarray[Any, Any]]


def costs(offers: list[Offers], work: Path) -> list[dict[str, Any]]:
    """A row for each scope and graph: median, least and greatest ratio of a round's CPU time to
    forward.onnx's in the same round, and bytes of a direction."""
    import onnxruntime

    model = restore_folder(SHIPPED_FOLDER).model
    scopes = {name: find_scope(model.checkpoint, name) for name in SCOPES}
    files = {name: _draw(model, scope, work) for name, scope in scopes.items()}
    batches = _batches(model, offers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    sessions = {("", "forward"): SHIPPED_FOLDER / "forward.onnx"}
    sessions |= {(n, kind): files[n] / f"{kind}.onnx" for n in SCOPES for kind in GRADIENT_TRACES}
    opened = {key: onnxruntime.InferenceSession(str(f), options) for key, f in sessions.items()}
    feeds = {
        key: [_feeds(model, scopes.get(key[0]), key[1], batch) for batch in batches]
        for key in sessions
    }
    ratios: dict[tuple[str, str], list[float]] = {key: [] for key in sessions}
    for of_round in range(ROUNDS + 1):
        took = {}
        for key, session in opened.items():
            started = time.process_time()
            for batch in feeds[key]:
                session.run(None, batch)
            took[key] = time.process_time() - started
        for key in sessions:
            if of_round > 0:  # the first round warms up
                ratios[key].append(took[key] / took["", "forward"])
    del opened
    return [
        {
            "scope": name,
            "graph": kind,
            "ratio": statistics.median(ratios[name, kind]),
            "least": min(ratios[name, kind]),
            "most": max(ratios[name, kind]),
            "direction_bytes": 4 * _entries(model, scopes[name]),
        }
        for name in SCOPES
        for kind in GRADIENT_TRACES
    ]


def peaks(offers: list[Offers], work: Path) -> list[dict[str, Any]]:
    """A row for each scope and graph: the bytes that running it adds to a process of its own."""
    model = restore_folder(SHIPPED_FOLDER).model
    batches = _batches(model, offers)
    rows = []
    for name in SCOPES:
        scope = find_scope(model.checkpoint, name)
        folder = _draw(model, scope, work)
        for kind in GRADIENT_TRACES:
            feeds = [_feeds(model, scope, kind, batch) for batch in batches]
            peak = _peak(folder / f"{kind}.onnx", feeds, work)
            rows.append({"scope": name, "graph": kind, "bytes": peak})
    return rows


def _draw(model: Model, scope: Scope, work: Path) -> Path:
    """A folder with the gradient graphs of the scope, beside the shipped weights."""
    folder = work / f"graphs-{scope.name.replace(':', '-')}"
    folder.mkdir(exist_ok=True)
    manifest = json.loads((SHIPPED_FOLDER / "model.json").read_text("utf-8"))
    shutil.copyfile(SHIPPED_FOLDER / LOCATION, folder / LOCATION)
    parameters = [Parameter.from_entry(entry) for entry in manifest["parameters"]]
    weights = Weights(parameters, folder / LOCATION)
    for kind, trace in GRADIENT_TRACES.items():
        if not (folder / f"{kind}.onnx").exists():
            graph = externalise_weights(trace(model.checkpoint, scope), weights)
            (folder / f"{kind}.onnx").write_bytes(graph.SerializeToString())
    return folder


def _batches(model: Model, offers: list[Offers]) -> list[Feeds]:
    """Some batches of the pairs, spread over their lengths, as the exporter's checks make them."""
    texts = [Text(offer.query, offer.document) for offer in offers]
    plans = plan_batches([len(model.tokenizer.encode(t, model.tokens_max)[0]) for t in texts])
    chosen = plans[:: max(1, len(plans) // TIMED_BATCHES)][:TIMED_BATCHES]
    return [
        {
            name: value.numpy()
            for name, value in model.tokenizer.batch(
                [texts[row] for row in plan], model.tokens_max
            ).items()
            if name in model.checkpoint.family.inputs
        }
        for plan in chosen
    ]


def _feeds(model: Model, scope: Scope | None, kind: str, batch: Feeds) -> Feeds:
    if kind == "accumulate":
        return {**batch, "coefficient": np.ones((len(batch["input_ids"]), 1), np.float32)}
    if kind == "tangent" and scope is not None:
        parameters = dict(model.checkpoint.model.named_parameters())
        along = {n: np.ones(tuple(parameters[n].shape), np.float32) for n in scope.parameters}
        return {**batch, **{direction_name(name): value for name, value in along.items()}}
    return batch


def _entries(model: Model, scope: Scope) -> int:
    parameters = dict(model.checkpoint.model.named_parameters())
    return sum(math.prod(parameters[name].shape) for name in scope.parameters)


def _peak(graph: Path, batches: list[Feeds], work: Path) -> int:
    """The peak of a process that runs the graph on the batches, beyond that which loads its
    libraries."""
    inputs = work / "inputs.npz"
    first = {key: value for key, value in batches[0].items() if key.startswith("direction.")}
    texts = [{k: v for k, v in b.items() if not k.startswith("direction.")} for b in batches]
    np.savez(inputs, **first, **{f"{n}/{k}": v for n, b in enumerate(texts) for k, v in b.items()})
    command = [sys.executable, __file__, str(graph), str(inputs)]
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    told = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(told.stdout)


def _run_alone(graph: str, inputs: str) -> None:
    """Prints the bytes by which running the graph raises this process's peak."""
    import onnxruntime

    before = _peak_of_this_process()
    given = dict(np.load(inputs))
    along = {name: value for name, value in given.items() if name.startswith("direction.")}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    names = {i.name for i in session.get_inputs()} - along.keys()
    for index in sorted({name.split("/")[0] for name in given.keys() - along.keys()}):
        session.run(None, {**along, **{name: given[f"{index}/{name}"] for name in names}})
    print(_peak_of_this_process() - before)


def _peak_of_this_process() -> int:
    """In bytes. getrusage tells the parent's before an exec, if that was larger."""
    status = Path("/proc/self/status").read_text("utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


if __name__ == "__main__":
    _run_alone(*sys.argv[1:])
