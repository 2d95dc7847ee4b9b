"""What every method of `Client` needs."""

from __future__ import annotations

from assay.client.sending import Limits
from assay.client.sync_driver import SyncDriver


class Base:
    """A driver that runs plans, and the limits by which they are divided into requests."""

    _driver: SyncDriver
    _limits: Limits
