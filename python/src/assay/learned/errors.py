"""The one error of this package."""


class LearnedError(Exception):
    """Samples, scores or a folder that nothing can be learned from; the message says why."""
