"""The bounded queue of frames for one client."""

from __future__ import annotations

import asyncio
from collections import deque

from vintner_local.realtime.frames import Frame


class Outbox:
    """Frames that wait to be sent. A client too slow for it is given up, never waited for.

    Args:
        max_frames: frames that may wait.
        max_bytes: bytes that may wait.
    """

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()
        self.overflowed = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Queues a frame; sets `overflowed` and drops everything if too much is waiting."""
        if self.overflowed.is_set():
            return
        self._frames.append(frame)
        self._bytes += len(frame)
        if len(self._frames) > self._max_frames or self._bytes > self._max_bytes:
            self._frames.clear()
            self._bytes = 0
            self.overflowed.set()
        self._filled.set()

    async def get(self) -> Frame:
        """The oldest frame; waits for one."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame
