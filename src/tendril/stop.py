"""Why a running job is to stop, told to it from outside."""

from __future__ import annotations

import asyncio
from enum import Enum


class StopReason(Enum):
    """Why; a later one outweighs those before it."""

    CANCELLED = 1
    LEASE_IN_DOUBT = 2
    LEASE_LOST = 3


class StopRequest:
    """Whether a job is to stop, which one side sets and the other awaits."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self._requested = asyncio.Event()

    def request(self, reason: StopReason) -> None:
        """Asks the job to stop; asking again changes the reason at most."""
        if self.reason is None or reason.value > self.reason.value:
            self.reason = reason
        self._requested.set()

    async def wait(self) -> None:
        """Returns once the job is to stop."""
        await self._requested.wait()
