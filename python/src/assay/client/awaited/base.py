"""What every method of `AsyncClient` needs."""

from __future__ import annotations

from assay.client.async_driver import AsyncDriver
from assay.client.sending import Limits


class Base:
    """A driver that runs plans, and the limits by which they are divided into requests."""

    _driver: AsyncDriver
    _limits: Limits
