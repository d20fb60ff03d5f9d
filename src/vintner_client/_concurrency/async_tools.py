"""What the client needs of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

Result = TypeVar("Result")

AsyncLock = asyncio.Lock
async_sleep = asyncio.sleep


async def async_together(*work: Awaitable[Result]) -> list[Result]:
    """The results of some work that goes on at the same time, in order."""
    return list(await asyncio.gather(*work))
