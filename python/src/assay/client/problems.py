"""An answer over HTTP to a result or an error (RFC 9457 problems, with the caller's rows)."""

from __future__ import annotations

import json
import re
from typing import Any

from assay.client.call import Call, Json, Reply
from assay.client.errors import AssayError, Fault, sentence_of

LINES = "application/x-ndjson"
# `/samples/3/label` in a JSON body, `line 4/label` in JSON lines, within a sentence
SAMPLE = re.compile(r"(?:/samples/(?P<index>\d+)|\bline (?P<line>\d+))(?P<rest>(?:/[\w~-]+)*)")
PATH = re.compile(r"(?:/samples/(?P<index>\d+)|line (?P<line>\d+))(?P<rest>(?:/.*)?)")


def settled(call: Call, reply: Reply) -> Any:
    """The parsed body of a successful answer; None where it has none.

    JSON lines answer 200 before they know: their last line is a problem, or else the result. Where
    every line is of the result, the call's `read` takes them all.

    Raises:
        AssayError: the service refused the call, or what answered is no Assay.
    """
    in_lines = reply.headers.get("content-type", "").startswith(LINES)
    body = reply.body.rstrip().rpartition(b"\n")[2] if in_lines else reply.body
    value = _parsed(call, reply, body)
    if reply.status < 300 and not (in_lines and "code" in value):
        return call.read(reply.body) if in_lines and call.read is not None else value
    raise _error_of(call, reply, value)


def error_of(problem: Json) -> AssayError:
    """A problem of the service (RFC 9457) as an error."""
    faults = [Fault(str(each["path"]), str(each["message"])) for each in problem.get("faults", [])]
    detail, status = str(problem["detail"]), int(problem["status"])
    return AssayError(str(problem["code"]), detail, status=status, faults=faults)


def _parsed(call: Call, reply: Reply, body: bytes) -> Any:
    if reply.status == 204:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        if reply.status >= 300:
            return {}
        raise AssayError(
            "unexpected_answer",
            f"{call.method} {call.path} was answered with something that is no JSON: "
            f"{_excerpt(body)}. Is the URL that of an Assay service?",
            status=reply.status,
        ) from error


def _error_of(call: Call, reply: Reply, problem: Any) -> AssayError:
    if not isinstance(problem, dict) or "code" not in problem:
        return AssayError(
            "unexpected_answer",
            f"{call.method} {call.path} was answered {reply.status}: {_excerpt(reply.body)}. "
            "Is the URL that of an Assay service?",
            status=reply.status,
        )
    faults = [_fault_of(call, entry) for entry in problem.get("faults", [])]
    if any(fault.row is not None for fault in faults):
        detail = sentence_of(faults)
    else:
        detail = _with_rows(str(problem["detail"]), call)
    status = int(problem.get("status", reply.status))
    return AssayError(str(problem["code"]), detail, status=status, faults=faults)


def _fault_of(call: Call, entry: Json) -> Fault:
    message = _with_rows(str(entry["message"]), call)
    match = PATH.fullmatch(str(entry["path"]))
    if match is None or call.place is None:
        return Fault(str(entry["path"]), message)
    return call.place(Fault(_pointer(match), message))


def _with_rows(text: str, call: Call) -> str:
    """A sentence of the service in which samples are named as the caller counts them."""
    place = call.place
    if place is None:
        return text
    return SAMPLE.sub(lambda match: str(place(Fault(_pointer(match), ""))).rstrip(" :"), text)


def _pointer(match: re.Match[str]) -> str:
    index = match["index"] if match["index"] is not None else int(match["line"]) - 1
    return f"/samples/{index}{match['rest']}"


def _excerpt(body: bytes) -> str:
    text = body[:200].decode(errors="replace").strip()
    return json.dumps(text, ensure_ascii=False) if text else "nothing"
