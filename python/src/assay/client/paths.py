"""Paths of the service's resources; names may hold any character."""

from __future__ import annotations

from urllib.parse import quote


def dataset_path(dataset: str) -> str:
    """The path of a dataset."""
    return f"/v1/datasets/{_segment(dataset)}"


def sample_path(dataset: str, id: str) -> str:
    """The path of one sample of a dataset."""
    return f"{dataset_path(dataset)}/samples/{_segment(id)}"


def job_path(job: str) -> str:
    """The path of a job."""
    return f"/v1/jobs/{_segment(job)}"


def direction_path(direction: str) -> str:
    """The path of a direction."""
    return f"/v1/directions/{_segment(direction)}"


def model_path(model: str) -> str:
    """The path of a model."""
    return f"/v1/models/{_segment(model)}"


def _segment(name: str) -> str:
    if not name:
        raise ValueError("a name is empty")
    # "." and ".." would be resolved away.
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")
