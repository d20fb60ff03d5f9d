"""Processes known by pid and start time, so that a recycled pid is never mistaken for ours."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil
from pydantic import BaseModel, ConfigDict

CLOCK_TOLERANCE = 2.0
"""Seconds that the boot time, from which start times are counted, may drift by clock changes."""

POLL_SECONDS = 0.02

Ending = tuple[signal.Signals, float]
"""A signal, and the seconds to wait for the process to heed it."""

ORDINARY_ENDING: tuple[Ending, ...] = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
POSTGRES_ENDING: tuple[Ending, ...] = (
    (signal.SIGINT, 10.0),
    (signal.SIGQUIT, 5.0),
    (signal.SIGKILL, 5.0),
)
"""PostgreSQL's fast shutdown, then its immediate one."""


class ProcessRef(BaseModel):
    """One process of this machine.

    Attributes:
        pid: its process id.
        started: when it started, in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> ProcessRef | None:
        """The process that has the pid now, or None."""
        try:
            return cls(pid=pid, started=psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        """The process while it runs; None when it ended or its pid went to another one."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < CLOCK_TOLERANCE
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.find() is not None

    def end(self, ending: Iterable[Ending] = ORDINARY_ENDING) -> bool:
        """Ends the process, more firmly step by step.

        Args:
            ending: the signals to send, each with the time it is given.

        Returns:
            Whether the process is gone.
        """
        for number, patience in ending:
            process = self.find()
            if process is None:
                return True
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if self._ends_within(patience):
                return True
        return False

    def _ends_within(self, seconds: float) -> bool:
        """Waits for the end; one that nobody reaps has ended too, which psutil's wait denies."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True
