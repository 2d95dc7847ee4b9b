"""Requests whose work may take longer than a connection should wait: they run as jobs."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass, replace
from typing import Any

from assay.client.call import Call, Json, Plan
from assay.client.errors import AssayError
from assay.client.paths import job_path
from assay.client.problems import error_of
from assay.client.progress import Progress, tell_share

FIRST_S = 0.02  # a small dataset is done by then
LONGEST_S = 1.0
GROWTH = 1.5


@dataclass(frozen=True)
class LongWork:
    """What the work is called, and who hears how far it is."""

    verb: str
    dataset: str
    progress: Progress


def result_of(call: Call, work: LongWork) -> Plan[Any]:
    """What the call answers, by way of a job that is asked about until it has ended.

    An interrupt cancels the job. Where the question reaches another replica than the one that runs
    the job, the call is sent again without a job.

    Raises:
        AssayError: the work failed, or somebody cancelled it (`cancelled`).
    """
    [job] = yield [replace(call, headers={**call.headers, "prefer": "respond-async"})]
    asking = Call("GET", job_path(job["id"]), headers=_accept(call), read=call.read)
    try:
        return (yield from _ended(job, asking, work))
    except AssayError as error:
        if error.code != "job_not_found":
            raise
    except (KeyboardInterrupt, CancelledError) as interrupt:
        try:
            yield [Call("DELETE", asking.path, once=True)]
        except AssayError as error:
            interrupt.add_note(f"{work.verb} {work.dataset} goes on as a job: {error}")
        raise
    [result] = yield [call]
    return result


def _ended(job: Json, asking: Call, work: LongWork) -> Plan[Any]:
    """The result of a job, once it has one."""
    wait_s = FIRST_S
    while job["state"] in ("queued", "running"):
        tell_share(work.progress, job["progress"], work.verb, work.dataset)
        [answer] = yield [replace(asking, after_s=wait_s)]
        if asking.read is not None and "state" not in answer:
            tell_share(work.progress, 1, work.verb, work.dataset)
            return answer
        job = answer
        wait_s = min(LONGEST_S, wait_s * GROWTH)
    if job["state"] == "failed":
        raise error_of(job["problem"])
    if job["state"] == "cancelled":
        raise AssayError("cancelled", f"{work.verb} {work.dataset}: the job was cancelled")
    tell_share(work.progress, 1, work.verb, work.dataset)
    return job["result"]


def _accept(call: Call) -> dict[str, str]:
    return {name: value for name, value in call.headers.items() if name == "accept"}
