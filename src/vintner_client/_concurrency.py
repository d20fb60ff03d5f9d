"""What differs between asyncio and threads, in pairs of one shape.

The generator of the sync client replaces names that begin with `Async` or `async_` by their twins.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")

AsyncLock = asyncio.Lock
SyncLock = threading.Lock

async_sleep = asyncio.sleep
sync_sleep = time.sleep


async def async_together(*work: Awaitable[Result]) -> list[Result]:
    """The results of some work that goes on at the same time, in order."""
    return list(await asyncio.gather(*work))


def sync_together(*work: Result) -> list[Result]:
    """The results of some work that was done one after the other."""
    return list(work)
