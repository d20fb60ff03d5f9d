"""Who writes a job's log, and who follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from support._async.people import plant
from support.waiting import until
from vintner_client import AsyncVintner
from vintner_client.models import Job, JobStatus, LogChunk, NewLogChunk, StreamType


class Writer:
    """A Tendril that prints.

    Attributes:
        job: the job whose log it is.
        seq: how many chunks it has written.
        text: all that it has written.
    """

    def __init__(self, tendril: AsyncVintner, job: Job) -> None:
        self.lease = tendril.lease
        self.job = job
        self.seq = 0
        self.text = ""

    @classmethod
    async def of_a_new_job(cls, owner: AsyncVintner, tendril: AsyncVintner) -> Writer:
        """A Tendril of the owner's that has just started a PLAN."""
        vine = await plant(owner)
        await owner.vines.plan(vine.id)
        job = await tendril.lease.claim_next_job()
        assert job is not None
        return cls(tendril, await tendril.lease.start_job(job))

    async def write(self, count: int = 1) -> None:
        """Appends so many numbered lines in one batch, each a chunk."""
        await self.append([f"line {self.seq + number}\n" for number in range(1, count + 1)])

    async def append(self, texts: Sequence[str]) -> None:
        """Appends chunks in one batch."""
        chunks = [
            NewLogChunk(seq=seq, log_chunk=text, stream_type=StreamType.STDOUT)
            for seq, text in enumerate(texts, self.seq + 1)
        ]
        self.seq += len(texts)
        self.text += "".join(texts)
        await self.lease.append_logs(self.job, chunks)

    async def end(self, status: JobStatus = JobStatus.SUCCESS) -> None:
        """Ends the job."""
        await self.lease.complete_job(self.job, status=status)


class Reader:
    """A task that follows a log and keeps what it gets."""

    def __init__(self, client: AsyncVintner, job: Job, from_seq: int = 0) -> None:
        self.chunks: list[LogChunk] = []
        self.task = asyncio.create_task(self._run(client, job, from_seq))

    async def _run(self, client: AsyncVintner, job: Job, from_seq: int) -> None:
        async with aclosing(client.jobs.follow_logs(job.id, from_seq=from_seq)) as chunks:
            async for chunk in chunks:
                self.chunks.append(chunk)

    async def has(self, count: int, seconds: float = 10) -> None:
        """Waits for so many chunks."""
        await until(lambda: len(self.chunks) >= count or self.task.done(), seconds)

    async def text(self, seconds: float = 15) -> str:
        """Waits for the end; gives all that was printed."""
        async with asyncio.timeout(seconds):
            await self.task
        return "".join(chunk.log_chunk for chunk in self.chunks)

    async def finish(self, seconds: float = 15) -> list[int]:
        """Waits for the end of numbered lines; gives the seqs in the order in which they came."""
        await self.text(seconds)
        assert all(chunk.log_chunk == f"line {chunk.seq}\n" for chunk in self.chunks)
        return [chunk.seq for chunk in self.chunks]
