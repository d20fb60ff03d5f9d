"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)

_CANCEL_AGAIN = 0.2
_CANCEL_AT_MOST = 50


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels tasks and waits until they have ended; what they raise is not told.

    One cancellation is not enough: Python 3.11's `asyncio.wait_for`, which the connection pool
    uses, swallows one that comes as what it waits for is done.

    Args:
        tasks: any; those that have ended already are passed over.
    """
    pending = set(tasks)
    for _ in range(_CANCEL_AT_MOST):
        if not pending:
            return
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN)
    for task in pending:
        log.error("a task does not end: %s", task.get_stack())
