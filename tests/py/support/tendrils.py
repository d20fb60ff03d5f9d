"""Tendrils as processes, and a gate that holds Terraform up."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from support.waiting import until

COMMAND = Path(sys.executable).parent / "tendril"


class Tendril:
    """`tendril run` as a process of its own."""

    def __init__(self, folder: Path, process: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.process = process

    @property
    def text(self) -> str:
        """What it has said on stderr."""
        return (self.folder / "stderr").read_text()

    async def said(self, text: str) -> None:
        await until(lambda: text in self.text, 30)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def status(self) -> int:
        """Its exit status."""
        async with asyncio.timeout(30):
            return await self.process.wait()


class StartTendril(Protocol):
    """Starts a Tendril: its token, more options, changes to its environment."""

    async def __call__(
        self, token: str | None, *options: str, environment: Mapping[str, str | None] | None = None
    ) -> Tendril: ...


class Gate:
    """A real Terraform that waits at a gate before one of its commands.

    Args:
        folder: holds the program and what it says of itself.
        command: the command that waits.
        ignoring_interrupts: whether an interrupt leaves it waiting.
    """

    def __init__(self, folder: Path, command: str, *, ignoring_interrupts: bool) -> None:
        folder.mkdir()
        self.program = folder / "terraform"
        self._opened = folder / "opened"
        self._waiting = folder / "waiting"
        real = shutil.which("terraform") or shutil.which("tofu")
        self.program.write_text(
            f"""#!/bin/sh
{"trap '' INT" if ignoring_interrupts else ""}
if [ "$1" = {command} ]; then
  echo $$ > {self._waiting}
  while [ ! -e {self._opened} ]; do sleep 0.05; done
fi
exec {real} "$@"
"""
        )
        self.program.chmod(0o755)

    async def reached(self) -> int:
        """The process, and process group, that waits."""
        await until(lambda: self._waiting.exists() and self._waiting.read_text().strip(), 30)
        return int(self._waiting.read_text())

    def open(self) -> None:
        self._opened.touch()

    async def is_gone(self) -> None:
        """Returns once nothing of the group that waited is left."""
        group = int(self._waiting.read_text())
        await until(lambda: not _has_members(group))

    def tear_down(self) -> None:
        """Ends what still waits here, as a Tendril that was killed cannot."""
        if self._waiting.exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(self._waiting.read_text()), signal.SIGKILL)


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class BuildGate(Protocol):
    """Builds a gate before a command."""

    def __call__(self, command: str, *, ignoring_interrupts: bool = False) -> Gate: ...
