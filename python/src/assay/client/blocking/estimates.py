"""Estimates from samples that were not drawn evenly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.client.answers.estimate import Estimates
from assay.client.blocking.base import Base
from assay.client.operations.estimate import estimate
from assay.client.requests import without_none


class EstimateMethods(Base):
    """Estimates from samples that were not drawn evenly."""

    def estimate(
        self,
        values: Mapping[str, Any],
        *,
        inclusion_probabilities: Any | None = None,
        population: int | None = None,
        log_p: Any | None = None,
        log_q: Any | None = None,
        normalised: bool | None = None,
    ) -> Estimates:
        """Estimates means over a population from samples (N) that were not drawn evenly.

        `values` are columns (N) of numbers by name. Give `inclusion_probabilities` (N) of samples
        that were chosen by themselves with known chances, such as the `probabilities` of a
        selection by `poisson`, and the number of samples of the `population` if you know it. Or
        give the logarithms `log_p` (N) of each sample's density where the mean is wanted and
        `log_q` (N) where it was drawn; `normalised` says that neither lacks a constant.
        docs/estimate.md has examples.

        Raises:
            SampleError: an entry is missing or no number; nothing was sent.
            AssayError: the service refuses, with `weights_hopeless` if the weights are too unequal.
        """
        lists = without_none(
            inclusion_probabilities=inclusion_probabilities, log_p=log_p, log_q=log_q
        )
        fields = without_none(population=population, normalised=normalised)
        return self._driver.run(estimate(values, lists, fields))
