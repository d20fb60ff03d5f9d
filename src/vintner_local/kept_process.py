"""A child process that is started again when it dies."""

from __future__ import annotations

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vintner_local.files import last_lines
from vintner_local.processes import Ending, ProcessRef
from vintner_local.stack import PartStatus

FIRST_DELAY = 0.1
LONGEST_DELAY = 10.0
STEADY_SECONDS = 30.0
"""A part that ran this long is started again without the delay that earlier deaths built up."""

READY_POLL = 0.02


class PartFailedError(Exception):
    """A part died before it was ever ready: starting it again would not help."""


@dataclass
class KeptProcess:
    """One part of the stack.

    Attributes:
        name: what the log calls it.
        log: the file its output goes to.
        start: starts the process.
        is_ready: whether the process takes requests.
        ending: how it is ended.
        note: writes a line to the supervisor's log.
        changed: told when the status changed.
        status: what runs, once something does.
        was_ready: set when the part took requests for the first time.
    """

    name: str
    log: Path
    start: Callable[[], Awaitable[Process]]
    is_ready: Callable[[Process], Awaitable[bool]]
    ending: tuple[Ending, ...]
    note: Callable[[str], None]
    changed: Callable[[], None]
    status: PartStatus | None = None
    was_ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self) -> None:
        """Keeps the part running until this task is cancelled, which ends the part.

        Raises:
            PartFailedError: it died before it was ever ready.
        """
        delay = FIRST_DELAY
        clock = asyncio.get_running_loop().time
        while True:
            started = clock()
            reason = await self._run_once()
            if not self.was_ready.is_set():
                raise PartFailedError(f"{self.name} does not start: {reason}")
            if clock() - started > STEADY_SECONDS:
                delay = FIRST_DELAY
            self.note(f"{self.name} died: {reason}; starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _run_once(self) -> str:
        """Runs the part until it dies, and says why it did."""
        try:
            process = await self.start()
        except OSError as error:
            return str(error)
        try:
            self._publish(process)
            await self._watch(process)
        finally:
            await self._end(process)
        return self._reason(process)

    async def _watch(self, process: Process) -> None:
        exited = asyncio.create_task(process.wait())
        try:
            while not exited.done():
                if await self.is_ready(process):
                    self._publish_ready()
                    await exited
                await asyncio.sleep(READY_POLL)
        finally:
            exited.cancel()

    async def _end(self, process: Process) -> None:
        for number, patience in self.ending:
            if process.returncode is not None:
                return
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await process.wait()

    def _publish(self, process: Process) -> None:
        reference = ProcessRef.of(process.pid)
        if reference is None:
            return
        restarts = self.status.restarts + 1 if self.status else 0
        self.status = PartStatus(process=reference, restarts=restarts)
        self.note(f"{self.name} started with pid {process.pid}")
        self.changed()

    def _publish_ready(self) -> None:
        if self.status is not None:
            self.status = self.status.model_copy(update={"ready": True})
        self.was_ready.set()
        self.note(f"{self.name} is ready")
        self.changed()

    def _reason(self, process: Process) -> str:
        code = process.returncode
        if code is not None and code < 0:
            ended = f"signal {signal.Signals(-code).name}"
        else:
            ended = f"exit status {code}"
        told = [line for line in last_lines(self.log, 20) if line.strip()]
        return f"{ended}, last line: {told[-1].strip()}" if told else ended
