"""One graph at a time in ONNX Runtime on the CPU, which keeps no memory from a run to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime


def output_names(graph: Path) -> list[str]:
    """The names of a graph's outputs, read without its weights."""
    return [output.name for output in onnx.load(str(graph), load_external_data=False).graph.output]


def run_graph(
    graph: Path, outputs: Sequence[str], batches: Iterable[dict[str, Any]]
) -> Iterator[list[Any]]:
    """The outputs of each batch's inputs, in turn; the graph is open until the last was read."""
    options = onnxruntime.SessionOptions()
    # An arena grows by powers of two and keeps what the largest batch took.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    for inputs in batches:
        yield session.run(list(outputs), inputs)
