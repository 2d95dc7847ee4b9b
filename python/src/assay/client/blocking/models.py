"""Models, and new weights for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from assay.client.answers.model import Model, Models
from assay.client.blocking.base import Base
from assay.client.operations import models
from assay.client.operations.models import PushOptions
from assay.client.sources import Samples


class ModelMethods(Base):
    """Models, and new weights for them."""

    def models(self) -> Models:
        """Every model folder that the service knows."""
        return self._driver.run(models.list_models())

    def model(self, name: str) -> Model:
        """One model."""
        return self._driver.run(models.read_model(name))

    def reload_model(self, name: str) -> Model:
        """Reads a model's folder again, and answers once the new one is served."""
        return self._driver.run(models.reload_model(name))

    def push_weights(
        self,
        source: Any,
        name: str,
        *,
        tokenizer: Any | None = None,
        provenance: Mapping[str, Any] | None = None,
        metrics: Mapping[str, Any] | None = None,
        check: Literal["fast", "full"] = "fast",
        texts: Samples | None = None,
    ) -> Model:
        """Replaces a model's weights, from memory, and answers once the new ones are served.

        `source` is a torch module as it is trained (a sequence classification model, also wrapped
        for DistributedDataParallel or compiled, or a CrossEncoder), or a checkpoint's folder. It
        has the architecture of the model `name`. Its self-test needs the `tokenizer` that it is
        trained with; a CrossEncoder and a folder have their own. `provenance` and `metrics` are
        kept with the weights, and `model(name)` answers them.

        The module is copied to the CPU, which takes its size in float32, and stays as it is. The
        service runs the self-test before it swaps, whatever the `check` is: where that fails, the
        old weights are served. `check="full"` then asks the service for the logits of `texts`, or
        of those of the self-test, and compares them with the module's own. `texts` are samples as
        in `score`; the new weights are served while they are compared.

        Raises:
            AssayError: the module has another architecture (`unsuitable_model`), the service
                refuses the weights (`weights_invalid`), or what it serves differs from the module
                (`weights_differ`).
        """
        options = PushOptions(tokenizer, provenance or {}, metrics or {}, check, texts)
        return self._driver.run(models.push_weights(source, name, options, self._limits))
