"""Assay: which samples matter to the ranker that is being trained.

Importing it turns ONNX Runtime's telemetry off for this process and its children.

- `assay.Client` and `assay.AsyncClient`: the client of a running service (`assay.client`).
- `assay.integrations`: weights in training loops (torch and its kin, when they are used).
- `assay.export`: a Hugging Face checkpoint to a model folder (extra `export`).
- `assay.learned`: trees for the signal `learned` of a model folder (extra `learned`).
- `assay.training`: the recipe of the shipped model (extra `export`).
"""

import os

from assay.client import AssayError, AsyncClient, Client

__all__ = ["AssayError", "AsyncClient", "Client"]

# Since 1.30 ONNX Runtime collects telemetry and sends it to Microsoft, unless this is set before
# the library is imported; modules of this package import it after this one. Whoever imports
# onnxruntime before assay has to set it themselves.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
