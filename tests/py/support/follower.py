"""A follower in a process of its own, and what it costs there."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from support._async.people import PASSWORD
from support.follower_program import Orders, Said
from support.waiting import until
from vintner_client.models import Job

PROGRAM = Path(__file__).with_name("follower_program.py")


@dataclass(frozen=True)
class Holdings:
    """What a process holds.

    Attributes:
        resident: bytes of memory.
        traced: bytes of memory that Python knows of.
        tasks: asyncio's tasks.
        threads: threads.
        files: open file descriptors, sockets among them.
        sockets: open sockets.
    """

    resident: int
    traced: int
    tasks: int
    threads: int
    files: int
    sockets: int


class Follower:
    """The running process.

    Attributes:
        said: what it has said of each chunk.
        process: the process.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[Said] = []
        self.process = process
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(json.loads(line))

    async def has(self, count: int, seconds: float = 30) -> None:
        """Waits for so many chunks."""
        await until(lambda: len(self.said) >= count or self._reading.done(), seconds)
        assert len(self.said) >= count, "the follower has ended"

    async def text(self, seconds: float = 30) -> str:
        """Waits for the end; gives all that it has printed."""
        async with asyncio.timeout(seconds):
            await self._reading
            assert await self.process.wait() == 0
        assert [said["seq"] for said in self.said] == list(range(1, len(self.said) + 1))
        return "".join(said["text"] for said in self.said)

    def holdings(self) -> Holdings:
        """What it holds now."""
        process = psutil.Process(self.process.pid)
        return Holdings(
            resident=process.memory_info().rss,
            traced=self.said[-1]["traced"],
            tasks=self.said[-1]["tasks"],
            threads=process.num_threads(),
            files=process.num_fds(),
            sockets=len(process.net_connections()),
        )


@asynccontextmanager
async def follower(
    *, url: str, key: str, email: str, job: Job, is_sync: bool
) -> AsyncIterator[Follower]:
    """A process that follows a job's log, ended at the latest when this is left.

    Args:
        url: of the project.
        key: its publishable key.
        email: who follows.
        job: whose log.
        is_sync: whether by the client without an event loop.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert process.stdin is not None
    orders = Orders(
        url=url, key=key, email=email, password=PASSWORD, job_id=str(job.id), is_sync=is_sync
    )
    process.stdin.write(json.dumps(orders).encode() + b"\n")
    try:
        yield Follower(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
