"""The compiled service's tokeniser, in a process that many texts go through."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "test" / "support" / "tokenise.mjs"

Pair = tuple[str, str | None]


@dataclass(frozen=True)
class Rows:
    """What a tokeniser makes of texts, in their order."""

    ids: list[list[int]]
    type_ids: list[list[int]]


class TokenService:
    """Answers for model folders, one batch at a time."""

    def __init__(self, node: str) -> None:
        self._process = subprocess.Popen(
            [node, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def send(self, folder: Path, pair: dict[str, Any], tokens_max: int, texts: list[Pair]) -> None:
        """Asks; `receive` answers, so that both sides work at once."""
        request = {"directory": str(folder), "pair": pair, "max_tokens": tokens_max, "texts": texts}
        stdin = self._stream(self._process.stdin)
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()

    def receive(self) -> Rows:
        line = self._stream(self._process.stdout).readline()
        assert line, f"the tokeniser ended with {self._process.wait()}"
        answer = json.loads(line)
        return Rows(answer["ids"], answer["type_ids"])

    def close(self) -> None:
        self._stream(self._process.stdin).close()
        self._process.wait(timeout=60)

    def _stream(self, stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream
