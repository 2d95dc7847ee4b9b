"""What the service serves after a push, held against the module that was pushed."""

from __future__ import annotations

import json

from assay.client.answers.model import Model
from assay.client.call import Plan
from assay.client.errors import AssayError, Fault
from assay.client.operations.score import ScoreOptions, score
from assay.client.push.upload import TEXTS, Upload
from assay.client.samples import Columns, read_samples
from assay.client.sending import Limits
from assay.client.sources import Samples


def compare_served(
    upload: Upload, model: Model, texts: Samples | None, limits: Limits
) -> Plan[None]:
    """Compares logits of each text, in float32; without texts, of those of the self-test.

    Raises:
        SampleError: a text has a fault.
        AssayError: a logit differs by more than the model's tolerance, or the model was replaced
            meanwhile (`weights_differ`).
    """
    asked = upload.texts if texts is None else texts
    given = [json.loads(each.json) for each in read_samples(asked, Columns())]
    samples = [{name: each[name] for name in TEXTS if name in each} for each in given]
    fields = {"model": model.name, "signals": [], "precision": "fp32"}
    scores = yield from score(samples, Columns(), ScoreOptions(fields, None), limits, False)
    versions = {each.version for each in scores.models}
    if versions != {model.version}:
        raise AssayError(
            "weights_differ",
            f"{model.name} was replaced again: it served {', '.join(sorted(versions))} when "
            f"{model.version} was to be compared",
        )
    faults = []
    for row, (sample, served) in enumerate(zip(samples, scores, strict=True)):
        own = upload.logits(sample)
        logits = served["logits"] if "logits" in served else [served["logit"]]
        difference = max(abs(a - b) for a, b in zip(own, logits, strict=True))
        if not difference <= upload.tolerance:
            message = f"has the logits {logits} in the service and {own} in the module"
            faults.append(Fault(f"/texts/{row}", message, row))
    if faults:
        raise AssayError(
            "weights_differ",
            f"{model.name} serves the new weights, but {len(faults)} of {len(samples)} texts "
            f"differ by more than {upload.tolerance:g}: {faults[0]}",
            faults=faults,
        )
