"""A program that serves HTTP for the API on a loopback port of its own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from vintner_local import tied_process
from vintner_local.ports import HOST, any_free

START_SECONDS = 10.0
END_SECONDS = 5.0
POLL_SECONDS = 0.02


class NotServingError(Exception):
    """The program ended or did not listen in time; its log says why."""


class ChildServer:
    """Starts the program when it is first needed, and again when it is needed after it died.

    Args:
        command: the command line that serves on a port; other users can read it.
        environment: the whole environment of the program, for a port.
        log: the file its output is added to; None for our own standard error.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        environment: Callable[[int], Mapping[str, str]],
        log: Path | None,
    ) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._process: Process | None = None
        self._port = 0
        self._starting = asyncio.Lock()

    async def port(self) -> int:
        """The port on which the program takes requests.

        Raises:
            NotServingError: see there.
        """
        async with self._starting:
            if self._process is None or not await _listens(self._port):
                await self.stop()
                await self._start()
            return self._port

    async def stop(self) -> None:
        """Ends the program."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()

    async def _start(self) -> None:
        port = any_free()
        guard = (sys.executable, "-I", "-S", str(Path(tied_process.__file__)))
        with self._log.open("ab") if self._log else nullcontext(sys.stderr) as log:
            process = await asyncio.create_subprocess_exec(
                *guard,
                *self._command(port),
                stdin=PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self._environment(port),
                start_new_session=True,
            )
        self._process, self._port = process, port
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _listens(port):
                    if process.returncode is not None:
                        raise NotServingError
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            await self.stop()
            raise NotServingError from None


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True
