"""The weights that the service has of a training set's rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.client import AssayError, Client
from assay.integrations.row_weights import RowWeights, Use

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
    """The weights of rows (N) by their ids; equal ones if the dataset was never weighed.

    An id without a weight gets `fallback` times the mean of the others.

    Raises:
        AssayError: the service refuses, or does not answer.
    """
    try:
        found = client.lookup(ids, dataset=dataset, snapshot=snapshot)
    except AssayError as error:
        if error.code not in NOT_WEIGHED:
            raise
        return RowWeights.equal(len(ids))
    if found.snapshot is None:
        return RowWeights.equal(len(ids))
    lacking = [None] * len(found)
    values = found.column("weight") if "weight" in found.columns else lacking
    if all(value is None for value in values):
        return RowWeights.equal(len(ids))
    known = np.array([np.nan if value is None else value for value in values])
    return RowWeights.read(known, found.snapshot, use, fallback)
