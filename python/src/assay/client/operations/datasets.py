"""Datasets and the samples that they remember."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from assay.client.answers.dataset import Dataset
from assay.client.answers.sample import History, KeptSample
from assay.client.answers.signals import KeptSignal
from assay.client.call import Call, Json, Plan
from assay.client.decode import decode
from assay.client.operations.lookup import read_ids
from assay.client.paths import dataset_path, sample_path

T = TypeVar("T")
PAGE = "1000"  # entries, the most that the service gives at once


def list_all(path: str, entries: str, kind: type[T]) -> Plan[list[T]]:
    """Every entry of a list that the service gives in pages."""
    found: list[T] = []
    query: Mapping[str, str] = {"limit": PAGE}
    while True:
        [answer] = yield [Call("GET", path, query)]
        found += [decode(kind, entry) for entry in answer[entries]]
        if answer["next_cursor"] is None:
            return found
        query = {"limit": PAGE, "cursor": answer["next_cursor"]}


def list_datasets() -> Plan[list[Dataset]]:
    """All datasets, by name."""
    return list_all("/v1/datasets", "datasets", Dataset)


def read_dataset(dataset: str) -> Plan[Dataset]:
    """One dataset."""
    [answer] = yield [Call("GET", dataset_path(dataset))]
    return decode(Dataset, answer)


def set_dataset(dataset: str, settings: Mapping[str, Any]) -> Plan[Dataset]:
    """Sets what a dataset keeps. `settings` are the fields of the request."""
    body = json.dumps(settings, allow_nan=False).encode()
    [answer] = yield [Call("PUT", dataset_path(dataset), content=lambda: body)]
    return decode(Dataset, answer)


def read_sample(id: object, dataset: str) -> Plan[KeptSample]:
    """One sample of a dataset."""
    [answer] = yield [Call("GET", sample_path(dataset, *read_ids([id])))]
    return decode(KeptSample, with_signals(answer))


def read_history(id: object, dataset: str) -> Plan[History | None]:
    """The logits of one sample by checkpoint."""
    sample = yield from read_sample(id, dataset)
    return sample.history


def with_signals(answer: Json) -> Json:
    """A sample as it is answered, with its signals as one mapping."""
    return {**answer, "signals": {n: answer[n] for n in get_args(KeptSignal) if n in answer}}


def delete(path: str) -> Plan[None]:
    """Deletes what is at a path."""
    yield [Call("DELETE", path)]


def delete_sample(id: object, dataset: str) -> Plan[None]:
    """Deletes one sample of a dataset."""
    return delete(sample_path(dataset, *read_ids([id])))
