"""The two clients are one: the same methods, in every place where a client may be."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from assay import AssayError, AsyncClient, Client
from assay.client import Limits
from fake_service import URL, FakeService, connect, numbered, problem, scored


def methods(kind: type) -> dict[str, Callable[..., object]]:
    """In the order of the classes that a client is made of."""
    return {
        name: function
        for part in kind.__mro__
        for name, function in vars(part).items()
        if inspect.isfunction(function) and not name.startswith("_")
    }


def test_both_clients_have_the_same_methods() -> None:
    blocking, awaited = methods(Client), methods(AsyncClient)
    assert list(blocking) == list(awaited)
    for name, method in blocking.items():
        own, other = inspect.signature(method), inspect.signature(awaited[name])
        assert own.parameters == other.parameters, name
        if str(own.return_annotation).startswith("Iterator["):
            assert other.return_annotation == f"Async{own.return_annotation}", name
            assert inspect.isasyncgenfunction(awaited[name]), name
        else:
            assert other.return_annotation == own.return_annotation, name
            assert inspect.iscoroutinefunction(awaited[name]), name
        assert awaited[name].__doc__ == f"As `Client.{name}`.", name


def test_the_blocking_client_works_inside_a_running_event_loop() -> None:
    async def cell() -> int:
        client = Client(URL, transport=FakeService(scored).transport, limits=Limits(samples=2))
        return len(client.score(numbered(7)))

    assert asyncio.run(cell()) == 7


def test_the_blocking_client_works_from_several_threads() -> None:
    client = connect("sync", FakeService(scored), limits=Limits(samples=2))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: list(client.score(numbered(n))["loss"]), range(1, 9)))
    assert found == [list(range(n)) for n in range(1, 9)]


def test_a_cancelled_call_ends_its_requests() -> None:
    ended: list[bool] = []

    async def slow(request: httpx2.Request) -> httpx2.Response:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return scored(request)

    async def cell() -> None:
        limits = Limits(samples=1, in_flight=2)
        async with AsyncClient(URL, transport=httpx2.MockTransport(slow), limits=limits) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.score(numbered(5)), 0.1)

    asyncio.run(cell())
    assert ended == [True, True]


def test_an_error_ends_the_other_requests() -> None:
    ended: list[bool] = []

    async def slow(request: httpx2.Request) -> httpx2.Response:
        if b'"s0"' in request.content:
            await asyncio.sleep(0.01)
            return problem(422, "unsuitable_label")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return scored(request)

    async def cell() -> None:
        limits = Limits(samples=1, in_flight=2)
        async with AsyncClient(URL, transport=httpx2.MockTransport(slow), limits=limits) as client:
            with pytest.raises(AssayError, match="unsuitable_label"):
                await asyncio.wait_for(client.score(numbered(5)), 10)

    asyncio.run(cell())
    assert ended == [True]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_the_key_comes_from_the_argument_or_the_environment(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(**options: str) -> str | None:
        service = FakeService(scored)
        connect(kind, service, **options).score(numbered(1))
        key: str | None = service.requests[0].headers.get("authorization")
        return key

    monkeypatch.delenv("ASSAY_API_KEY", raising=False)
    assert sent() is None
    monkeypatch.setenv("ASSAY_API_KEY", "from the environment")
    assert sent() == "Bearer from the environment"
    assert sent(key="given") == "Bearer given"


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", ""])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="write http://HOST:PORT"):
        Client(url)


def test_a_closed_client_cannot_be_used() -> None:
    with connect("sync", FakeService(scored)) as client:
        client.score(numbered(1))
    with pytest.raises(RuntimeError, match="closed"):
        client.score(numbered(1))


HEAVY = ("numpy", "torch", "transformers", "onnx", "onnxruntime", "pandas", "polars", "pyarrow")
WITHOUT = f"""
import sys
for name in {HEAVY!r}:
    sys.modules[name] = None  # importing it raises ImportError
import httpx2, assay
sys.path.insert(0, sys.argv[1])
from fake_service import FakeService, URL, numbered, scored
client = assay.Client(URL, transport=FakeService(scored).transport)
scores = client.score(numbered(3))
assert scores["loss"] == [0, 1, 2], scores["loss"]
"""


def test_the_client_needs_no_library_but_httpx() -> None:
    """NumPy included: columns are lists then."""
    support = next(path for path in sys.path if path.endswith("support"))
    subprocess.run([sys.executable, "-c", WITHOUT, support], check=True)


def test_importing_assay_imports_no_large_library() -> None:
    program = f"import assay, sys; print([n for n in {HEAVY!r} if n in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout == "[]\n"
