"""Whole datasets: in pages, counted, and as files."""

from __future__ import annotations

import io
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay import AssayError, Client
from assay.client import Export, Retry
from fake_service import FakeService, connect, problem

both = pytest.mark.parametrize("kind", ["sync", "async"])
QUICK = Retry(first_s=0.001, longest_s=0.002, total_s=1)


def entry(id: str) -> dict[str, Any]:
    return {
        "id": id,
        "label": 1,
        "group": None,
        "source": None,
        "extras": {},
        "weight": None,
        "loss_name": "bce",
        "model": "default@v1",
        "scored_at": "2026-11-30T16:11:59.489Z",
        "stale": False,
        "observed": None,
        "earlier": {},
        "text_digest": None,
        "loss": 0.5,
        "aum": 0.25,
    }


def pages(request: httpx2.Request) -> httpx2.Response:
    """Five samples, in pages of two whatever the limit is."""
    at = int(request.url.params.get("cursor", "0"))
    most = min(2, int(request.url.params["limit"]))
    end = min(5, at + most)
    body = {
        "dataset": "shop",
        "built_at": "2026-11-30T16:11:59.489Z",
        "samples": [entry(f"s{n}") for n in range(at, end)],
        "next_cursor": None if end == 5 else str(end),
    }
    return httpx2.Response(200, json=body)


@both
def test_samples_are_read_page_by_page_as_far_as_they_are_wanted(kind: str) -> None:
    service = FakeService(pages)
    client = connect(kind, service)
    assert [sample.id for sample in client.samples("shop")] == ["s0", "s1", "s2", "s3", "s4"]
    assert len(service.requests) == 3
    first = next(iter(client.samples("shop", sort="weight")))
    assert (first.signals, first.label) == ({"loss": 0.5, "aum": 0.25}, 1)
    assert len(list(islice(client.samples("shop"), 2))) == 2
    assert len(service.requests) == 5
    assert list(client.samples("shop", limit=0)) == []
    assert len(list(client.samples("shop", limit=3))) == 3
    assert [r.url.params["limit"] for r in service.requests[5:]] == ["3", "1"]


@both
def test_a_filter_becomes_parameters(kind: str) -> None:
    service = FakeService(pages)
    list(
        connect(kind, service).samples(
            "shop",
            sort="-aum",
            label=np.float64(1),
            source="a crawl",
            ranges={"loss": (0.1, None), "extras.price": (None, 2)},
            limit=1,
        )
    )
    assert service.requests[0].url.params.multi_items() == [
        ("label", "1.0"),
        ("source", "a crawl"),
        ("range", "loss:0.1.."),
        ("range", "extras.price:..2.0"),
        ("sort", "-aum"),
        ("limit", "1"),
    ]


@both
def test_histograms_are_asked_for_by_column(kind: str) -> None:
    histogram = {"column": "loss", "count": 2, "missing": 0, "edges": [0, 1], "counts": [2]}
    histogram |= {"mean": 0.5, "quantiles": {"50": 0.5}}
    body = {
        "dataset": "shop",
        "built_at": "2026-11-30T16:11:59Z",
        "columns": ["grad_norm", "loss", "weight"],
        "histograms": [histogram],
    }
    service = FakeService(lambda _: httpx2.Response(200, json=body | {"map": [[2]]}))
    client = connect(kind, service)
    found = client.histograms(
        "shop", columns=["loss", "weight"], bins=1, scale="log", map=True, label=0
    )
    assert (found.histograms[0].counts, found.map) == ([2], [[2]])
    client.histograms("shop")
    assert [dict(r.url.params.multi_items()) for r in service.requests] == [
        {"label": "0.0", "bins": "1", "scale": "log", "map": "true", "column": "weight"},
        {"column": "loss"},
    ]


@both
def test_slices_are_asked_for_by_source_or_label(kind: str) -> None:
    mean = {"column": "loss", "count": 2, "mean": 0.5, "standard_error": 0.25}
    part = {"name": None, "samples": 2, "share": 1, "labelled": 1, "means": [mean]}
    part |= {"weight_share": None, "effective_sample_size": None}
    body = {"dataset": "shop", "built_at": "2026-11-30T16:11:59Z", "samples": 2}
    body |= {"slices_total": 1, "slices": [part]}
    service = FakeService(lambda _: httpx2.Response(200, json=body))
    client = connect(kind, service)
    ranges = {"loss": (0.1, None)}
    options = {"by": "label", "columns": ["loss", "weight"], "limit": 5, "source": "crawl"}
    found = client.slices("my shop", **options, label=1, ranges=ranges)
    assert (found.slices[0].name, found.slices[0].means[0].standard_error) == (None, 0.25)
    client.slices("shop")
    first, second = service.requests
    assert first.url.raw_path.startswith(b"/v1/datasets/my%20shop/slices?")
    assert first.url.params.multi_items() == [
        ("label", "1.0"),
        ("source", "crawl"),
        ("range", "loss:0.1.."),
        ("by", "label"),
        ("limit", "5"),
        ("column", "loss"),
        ("column", "weight"),
    ]
    assert second.url.params.multi_items() == [("by", "source"), ("column", "loss")]


DATASET: dict[str, Any] = {
    "dataset": "my shop",
    "samples": 0,
    "created_at": "2026-11-30T16:11:59Z",
    "updated_at": "2026-11-30T16:11:59Z",
    "models": [],
    "samples_by_model": {},
    "samples_by_source": {},
    "snapshot": None,
    "embedding": None,
    "hashed_ids": False,
}


@both
def test_a_setting_that_is_left_out_is_not_sent(kind: str) -> None:
    service = FakeService(lambda _: httpx2.Response(200, json=DATASET))
    client = connect(kind, service)
    assert client.set_dataset("my shop").embedding is None
    for embedding in (None, "float16", {"type": "int8", "bytes_max": 0}):
        client.set_dataset("my shop", embedding=embedding)
    assert service.requests[0].method == "PUT"
    assert service.requests[0].url.raw_path == b"/v1/datasets/my%20shop"
    assert service.bodies == [
        {},
        {"embedding": None},
        {"embedding": {"type": "float16"}},
        {"embedding": {"type": "int8", "bytes_max": 0}},
    ]


def exported(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"assay-snapshot": "3"}, content=b"id,label\na,1\n")


@both
def test_a_file_is_there_once_the_export_is_complete(kind: str, tmp_path: Path) -> None:
    service = FakeService(exported)
    client = connect(kind, service)
    found = client.export("my shop", tmp_path / "out.csv", snapshot=3)
    assert found == Export("csv", 13, 3)
    assert (tmp_path / "out.csv").read_bytes() == b"id,label\na,1\n"
    assert os.listdir(tmp_path) == ["out.csv"]
    request = service.requests[0]
    assert request.url.raw_path == b"/v1/datasets/my%20shop/export?format=csv&snapshot=3"
    with pytest.raises(ValueError, match=r"out.txt does not say the format"):
        client.export("shop", tmp_path / "out.txt")
    client.export("shop", str(tmp_path / "out.txt"), format="ndjson")
    assert service.requests[-1].url.params["format"] == "ndjson"


@both
def test_an_export_that_is_refused_leaves_the_earlier_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("earlier")
    refused = FakeService(lambda _: problem(404, "dataset_not_found", "there is no shop"))
    with pytest.raises(AssayError, match="there is no shop"):
        connect(kind, refused).export("shop", path)
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["out.csv"]


class Cut(BaseHTTPRequestHandler):
    """Cuts the connection in the middle of the first two answers."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self) -> None:
        Cut.count += 1
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if Cut.count % 3:
            self.wfile.write(b"8\r\nabcdefgh\r\n")
            self.close_connection = True
            return
        self.wfile.write(b"3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


def test_an_export_that_broke_begins_again(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Cut) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Client(f"http://127.0.0.1:{server.server_port}", retry=QUICK) as client:
            assert client.export("shop", tmp_path / "out.ndjson").bytes == 6
            assert (tmp_path / "out.ndjson").read_bytes() == b"abcdef"
            file = io.BytesIO(b"before")
            file.seek(6)
            client.export("shop", file)
            assert file.getvalue() == b"beforeabcdef"
            reading, writing = os.pipe()
            with (
                open(writing, "wb") as pipe,
                pytest.raises(AssayError, match="the export broke after 8 bytes"),
            ):
                client.export("shop", pipe)
            os.close(reading)
        server.shutdown()


def test_an_export_takes_constant_memory(tmp_path: Path) -> None:
    """A stream of 256 MiB, of which no more than some parts are in memory."""
    import tracemalloc

    class Parts(httpx2.SyncByteStream):
        def __iter__(self) -> Any:
            for _ in range(256):
                yield bytes(2**20)

    service = httpx2.MockTransport(lambda _: httpx2.Response(200, stream=Parts()))
    with Client("http://assay.test", transport=service) as client:
        tracemalloc.start()
        with open(os.devnull, "wb") as file:
            found = client.export("shop", file)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.bytes == 256 * 2**20
    assert peak < 8 * 2**20


def test_a_dataset_is_listed_counted_selected_and_exported(
    client: Client, pairs: list[dict[str, Any]], tmp_path: Path
) -> None:
    client.score(pairs, dataset="whole", signals=["loss", "grad_norm_last"])
    try:
        check_looks(client, pairs)
        check_selection(client)
        check_exports(client, len(pairs), tmp_path)
    finally:
        client.delete_dataset("whole")


def test_a_dataset_that_keeps_embeddings_is_selected_from_for_diversity(
    client: Client, pairs: list[dict[str, Any]]
) -> None:
    made = client.set_dataset("varied", embedding={"type": "float16", "bytes_max": 10**6})
    try:
        assert made.embedding is not None
        assert (made.embedding.type, made.embedding.of) == ("float16", None)
        sources = ["first"] * 8 + ["second"] * 2
        chosen = [pair | {"source": source} for pair, source in zip(pairs, sources, strict=False)]
        client.score(chosen, dataset="varied")
        kept = client.set_dataset("varied").embedding
        assert kept is not None
        assert kept.of is not None
        assert (kept.samples, kept.bytes_max, kept.outdated) == (10, 10**6, 0)

        found = client.select("varied", "k_center", size=3)
        assert (len(found), found.without_embedding) == (3, 0)
        assert found.embedding == kept.of
        assert client.select("varied", "top", signal="loss", size=3).embedding is None

        parts = client.slices("varied").slices
        assert [(part.name, part.samples) for part in parts] == [("first", 8), ("second", 2)]

        assert client.set_dataset("varied", embedding=None).embedding is None
        with pytest.raises(AssayError, match="unsuitable_selection"):
            client.select("varied", "k_center", size=3)
    finally:
        client.delete_dataset("varied")


def check_looks(client: Client, pairs: list[dict[str, Any]]) -> None:
    losses = [sample.signals["loss"] for sample in client.samples("whole", limit=100)]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 100
    positive = list(client.samples("whole", sort="loss", label=1, ranges={"loss": (0, 1e6)}))
    assert len(positive) == sum(pair["label"] == 1 for pair in pairs)
    found = client.histograms("whole", columns=["loss", "grad_norm_last"], bins=7, map=True)
    assert [histogram.count for histogram in found.histograms] == [len(pairs)] * 2
    assert found.map is not None
    assert np.sum(found.map) == len(pairs)
    assert client.history(pairs[0]["id"], dataset="whole") is None
    client.score(pairs[:1], dataset="whole", checkpoint=("first", 1))
    history = client.history(pairs[0]["id"], dataset="whole")
    assert history is not None
    assert [point.name for point in history.checkpoints] == ["first"]
    assert "mean_confidence" in client.sample(pairs[0]["id"], dataset="whole").signals


def check_selection(client: Client) -> None:
    told: list[tuple[int, int]] = []
    client.weigh("whole", signal="loss", scheme="rank", progress=lambda *share: told.append(share))
    assert told[-1] == (100, 100)
    client.weigh("whole", signal="loss")
    assert [snapshot.version for snapshot in client.snapshots("whole")] == [2, 1]
    drawn = client.select("whole", "poisson", share=0.3, signal="weight", seed=1)
    assert drawn.snapshot == 2
    assert len(drawn.ids) == len(drawn) == drawn.selected
    assert drawn.probabilities is not None
    assert drawn.multipliers is not None
    np.testing.assert_allclose(drawn.multipliers * drawn.probabilities, 0.3)
    top = client.select("whole", "top", size=5, signal="loss", exclude=drawn.ids[:1])
    assert top.probabilities is None
    assert len(top) == 5
    assert drawn.ids[0] not in top.ids
    jobs = client.jobs()
    assert [job.kind for job in jobs[:4]] == ["select", "select", "weigh", "weigh"]
    assert client.job(jobs[0].id).result.ids == top.ids  # type: ignore[union-attr]
    assert client.cancel(jobs[0].id).state == "done"
    with pytest.raises(AssayError, match="unsuitable_signal"):
        client.select("whole", "top", size=5, signal="rho")


def check_exports(client: Client, count: int, tmp_path: Path) -> None:
    table = client.export_table("whole")
    assert isinstance(table, pa.Table)
    assert table.num_rows == count
    frame = table.to_pandas()
    assert frame["weight"].sum() == pytest.approx(1)
    for name in ("whole.csv", "whole.ndjson", "whole.parquet", "whole.arrows"):
        assert client.export("whole", tmp_path / name).snapshot == 2
    assert len(pd.read_csv(tmp_path / "whole.csv")) == count
    assert len((tmp_path / "whole.ndjson").read_text().splitlines()) == count
    assert pq.read_table(tmp_path / "whole.parquet").num_rows == count
    first = client.export_table("whole", snapshot=1).to_pandas()
    assert not np.allclose(first["weight"], frame["weight"])
