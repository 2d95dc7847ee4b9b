"""The versions that the exporter is held to, and those it ran with."""

from __future__ import annotations

from importlib.metadata import version

from packaging.specifiers import SpecifierSet

import assay
from assay.export.errors import ExportError

# The same ranges as in pyproject.toml; a test holds the two together.
SUPPORTED = {"torch": ">=2.13,<2.14", "transformers": ">=5,<6"}


def check_versions() -> None:
    """Raises ExportError where torch or transformers is out of the supported range."""
    for package, supported in SUPPORTED.items():
        installed = version(package)
        if not SpecifierSet(supported).contains(installed.partition("+")[0], prereleases=True):
            raise ExportError(f"{package} {installed} is not supported: need {package}{supported}")


def used_versions() -> dict[str, str]:
    """Package name to version, for the manifest's provenance."""
    packages = ("torch", "transformers", "onnx", "onnxruntime")
    return {"assay": assay.__version__, **{package: version(package) for package in packages}}
