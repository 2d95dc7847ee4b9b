"""The jobs of a service."""

from __future__ import annotations

from assay.client.answers.job import Job
from assay.client.call import Call, Json, Plan
from assay.client.decode import decode
from assay.client.operations.noise import read_noise
from assay.client.operations.select import read_selection
from assay.client.operations.weigh import read_weighing
from assay.client.paths import job_path
from assay.client.problems import error_of

# A job that is done answers a selection in lines to who would take them.
ACCEPT = {"accept": "application/json"}
RESULTS = {"weigh": read_weighing, "select": read_selection, "noise": read_noise}


def list_jobs() -> Plan[list[Job]]:
    """The jobs that wait, run, or ended in the last hour, the newest first."""
    [answer] = yield [Call("GET", "/v1/jobs")]
    return [_job(entry) for entry in answer["jobs"]]


def read_job(id: str) -> Plan[Job]:
    """One job, with its result."""
    [answer] = yield [Call("GET", job_path(id), headers=ACCEPT)]
    return _job(answer)


def cancel_job(id: str) -> Plan[Job]:
    """Asks a job to end."""
    [answer] = yield [Call("DELETE", job_path(id))]
    return _job(answer)


def _job(entry: Json) -> Job:
    result, problem = entry["result"], entry["problem"]
    made = {
        "result": None if result is None else RESULTS[entry["kind"]](result),
        "problem": None if problem is None else error_of(problem),
    }
    return decode(Job, {**entry, **made})
