"""The same for threads."""

from __future__ import annotations

import threading
import time
from typing import TypeVar

Result = TypeVar("Result")

SyncLock = threading.Lock
sync_sleep = time.sleep


def sync_together(*work: Result) -> list[Result]:
    """The results of some work that was done one after the other."""
    return list(work)
