"""What to multiply each sample's loss by, where nothing is drawn."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from assay.client import Client


def multipliers(
    client: Client,
    ids: Iterable[object],
    *,
    dataset: str,
    snapshot: int | None = None,
    fallback: float | None = None,
) -> npt.NDArray[np.float64]:
    """Multipliers of ids (N) by a snapshot of the dataset, by default the newest.

    Over the whole dataset their mean is 1, whatever the snapshot's `normalise`, so the scale of the
    loss stays. For a `sample_weight`, or a column that a trainer reads. `fallback` is that of ids
    that have no weight: 1.0 is the mean.

    Raises:
        UnknownIdError: an id has no weight, and there is no fallback.
        ValueError: the snapshot's weights are draw probabilities, as `attach` and `LiveWeights`
            make them. Multiplied by, they would change the objective without anybody's wish.
        AssayError: there is no such dataset, or it was never weighed (`no_weights`).
    """
    kept = client.snapshots(dataset)
    version = snapshot if snapshot is not None or not kept else kept[0].version
    absent = None if fallback is None else float("nan")
    values = client.weights(ids, dataset=dataset, snapshot=version, fallback=absent)
    [made] = [each for each in kept if each.version == version]
    weighting = made.provenance["weighting"]
    if weighting["role"] == "probability":
        raise ValueError(
            f"snapshot {version} of {dataset} has draw probabilities, as attach and LiveWeights "
            "make them: draw by them with ImportanceSampler, or weigh again with "
            'role="multiplier", or name the snapshot that you want'
        )
    read = np.asarray(values, dtype=np.float64)
    if weighting["normalise"] == "sum":
        read = read * made.samples
    if fallback is not None:
        read[np.isnan(read)] = fallback
    return read
