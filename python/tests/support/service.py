"""What a test asks of a running service."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    pid: int

    def send(self, method: str, path: str, body: Row | None) -> Row:
        """The answer to a JSON body, or to none; raises with the problem where there is no 2xx."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                found: Row = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from error

    def scores(self, samples: list[Row], signals: list[str], **fields: Any) -> list[Row]:
        """The samples' results, in their order."""
        body = {"samples": samples, "signals": signals, "weighting": None, **fields}
        results: list[Row] = self.send("POST", "/v1/score", body)["results"]
        return results


Start = Callable[[Path], Service]  # on a model folder
