"""The one error of the exporter."""


class ExportError(Exception):
    """A checkpoint that cannot be exported; the message says why and what to do."""
