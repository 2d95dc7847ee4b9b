"""The weights that the service has of a training set's rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from assay.client import AssayError, Client
from assay.integrations.row_weights import RowWeights, Use

logger = logging.getLogger("assay")

# What a dataset answers before its first weighing.
NOT_WEIGHED = ("dataset_not_found", "no_weights")


def look_up_weights(
    client: Client,
    dataset: str,
    ids: Sequence[object],
    use: Use,
    snapshot: int | None = None,
    fallback: float = 1.0,
) -> RowWeights:
    """The weights of rows (N) by their ids.

    An id without a weight gets `fallback` times the mean of the others.

    Raises:
        ValueError: the dataset was never weighed, or has a weight for none of the ids.
        AssayError: the service refuses, or does not answer.
    """
    try:
        found = client.lookup(ids, dataset=dataset, snapshot=snapshot)
    except AssayError as error:
        if error.code not in NOT_WEIGHED:
            raise
        raise ValueError(_not_weighed(dataset)) from error
    if found.snapshot is None:
        raise ValueError(_not_weighed(dataset))
    lacking = [None] * len(found)
    values = found.column("weight") if "weight" in found.columns else lacking
    if all(value is None for value in values):
        raise ValueError(
            f"snapshot {found.snapshot} of {dataset} has a weight for none of the {len(ids)} ids, "
            f"such as {ids[0]!r}: pass the ids that were scored"
        )
    known = np.array([np.nan if value is None else value for value in values])
    return RowWeights.read(known, found.snapshot, use, fallback)


def first_weights(
    client: Client, dataset: str, ids: Sequence[object], use: Use, fallback: float
) -> RowWeights:
    """The weights that a training begins with: equal ones if there are none yet, which is logged.

    Raises:
        AssayError: the service refuses, or does not answer.
    """
    try:
        return look_up_weights(client, dataset, ids, use, fallback=fallback)
    except ValueError as error:
        logger.info("The training begins with equal weights: %s.", error)
        return RowWeights.equal(len(ids))


def _not_weighed(dataset: str) -> str:
    return f"{dataset} was never weighed: score its samples and call Client.weigh"
