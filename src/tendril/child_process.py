"""Runs one command as a child process that can be stopped and leaves nothing behind."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from tendril.stop import StopReason, StopRequest

PAUSE_SECONDS = 30.0
PAUSE_SECONDS_AFTER_LOSS = 5.0

Write = Callable[[str], None]


async def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str],
    stop: StopRequest,
    stdout: Write,
    stderr: Write,
    inherited: Collection[int] = (),
) -> int:
    """Runs a command in a process group of its own until it has ended.

    To stop it, it gets one interrupt, then a pause to save its work, then its whole group is
    killed. The group is killed in any case once the command has ended, and at once when this call
    is cancelled.

    Args:
        command: program and arguments.
        folder: where it runs.
        environment: the whole of its environment.
        stop: awaited while it runs.
        stdout: gets each line of its output, line end included.
        stderr: gets each line of its error output.
        inherited: the descriptors that it gets besides these.

    Returns:
        The exit status; negative for the signal that ended it.

    Raises:
        OSError: the program cannot be run.
    """
    loop = asyncio.get_running_loop()
    transport, child = await loop.subprocess_exec(
        lambda: _Child(stdout, stderr),
        *command,
        cwd=folder,
        env=environment,
        pass_fds=tuple(inherited),
        stdin=asyncio.subprocess.DEVNULL,
        # a group of its own: Terraform takes a second interrupt, as from a terminal's Ctrl-C that
        # reaches the whole group, as the order to abort
        start_new_session=True,
    )
    stopper = asyncio.create_task(_stop_when_asked(transport, stop))
    try:
        await child.exited.wait()
    finally:
        stopper.cancel()
        _kill_group(transport)
        # what the command left running kept the pipes open until here
        await child.closed.wait()
    status = transport.get_returncode()
    assert status is not None
    return status


class _Child(asyncio.SubprocessProtocol):
    """Passes a child's output on, line by line; lines may be of any length."""

    def __init__(self, stdout: Write, stderr: Write) -> None:
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()
        self._lines = {1: _Lines(stdout), 2: _Lines(stderr)}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._lines[fd].feed(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd in self._lines:
            self._lines[fd].finish()

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


class _Lines:
    def __init__(self, write: Write) -> None:
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._pieces: list[str] = []

    def feed(self, data: bytes) -> None:
        first, *others = self._decoder.decode(data).split("\n")
        self._pieces.append(first)
        for other in others:
            self._write("".join(self._pieces) + "\n")
            self._pieces = [other]

    def finish(self) -> None:
        rest = "".join(self._pieces) + self._decoder.decode(b"", final=True)
        if rest:
            self._write(f"{rest}\n")


async def _stop_when_asked(transport: asyncio.SubprocessTransport, stop: StopRequest) -> None:
    await stop.wait()
    with contextlib.suppress(ProcessLookupError):
        transport.send_signal(signal.SIGINT)
    lost = stop.reason is StopReason.LEASE_LOST
    await asyncio.sleep(PAUSE_SECONDS_AFTER_LOSS if lost else PAUSE_SECONDS)
    _kill_group(transport)


def _kill_group(transport: asyncio.SubprocessTransport) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(transport.get_pid(), signal.SIGKILL)
