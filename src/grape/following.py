"""Following a job to its end. Leaving never cancels it."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from grape.errors import FAILED, say
from grape.output import is_terminal, write

if TYPE_CHECKING:
    from vintner_client import AsyncVintner
    from vintner_client.models import Job, LogChunk, VineStatus


async def see_through(client: AsyncVintner, job: Job, label: str, *, detach: bool) -> int:
    """What a command does with the job it has just queued.

    Args:
        client: a signed-in client.
        job: the job.
        label: the vine's name for people.
        detach: print the job's id and leave.

    Returns:
        the exit status.
    """
    await _hint_at_tendrils(client)
    if detach:
        write(str(job.id))
        say(f"{job.job_type} of {label} is queued. Follow it with: grape logs -f {job.id}")
        return 0
    say(f"{job.job_type} of {label} is queued as {job.id}.")
    return await follow(client, job, label)


class VineWatch:
    """Says how a job moves its vine.

    Args:
        client: a signed-in client.
        job: the job.
        label: the vine's name for people.
    """

    def __init__(self, client: AsyncVintner, job: Job, label: str) -> None:
        self._client = client
        self._vine_id = job.vine_id
        self._label = label
        self._said: VineStatus | None = None

    async def look(self) -> None:
        """Says the vine's status unless it was said before."""
        if self._vine_id is None:
            return
        vine = await self._client.vines.get(self._vine_id)
        if vine.status is not self._said:
            self._said = vine.status
            say(f"{self._label} is {vine.status}.")


async def follow(client: AsyncVintner, job: Job, label: str) -> int:
    """Prints a job's log as it grows, and how the job ended.

    Args:
        client: a signed-in client.
        job: the job.
        label: the vine's name for people.

    Returns:
        the exit status: 0 if the job succeeded.
    """
    from vintner_client.models import JobStatus

    watch = VineWatch(client, job, label)
    try:
        await watch.look()
        async with aclosing(client.jobs.follow_logs(job.id)) as chunks:
            async for chunk in chunks:
                print_chunk(chunk)
                if chunk.seq == 1:
                    await watch.look()
    except asyncio.CancelledError:
        if sys.stderr.isatty():
            click.echo(err=True)  # past the terminal's own ^C
        say(f"Detached; the job goes on. Come back with: grape logs -f {job.id}")
        raise
    await watch.look()
    job = await client.jobs.get(job.id)
    if job.status is JobStatus.SUCCESS:
        say(f"{job.job_type} of {label} succeeded{_duration(job)}.")
        return 0
    ended = "was cancelled" if job.status is JobStatus.CANCELLED else "failed"
    why = " ".join((job.error_message or "").split())
    say(f"{job.job_type} of {label} {ended}{': ' + why if why else '.'}")
    return FAILED


def print_chunk(chunk: LogChunk) -> None:
    """Prints a piece of a log as it is; Vintner's own lines stand back on a terminal."""
    text = chunk.log_chunk
    if chunk.stream_type == "SYSTEM" and is_terminal():
        text = click.style(text, dim=True)
    write(text, end="")


async def _hint_at_tendrils(client: AsyncVintner) -> None:
    from vintner_client.models import WorkerStatus

    tendrils = await client.tendrils.list().all()
    if any(tendril.status is WorkerStatus.ONLINE for tendril in tendrils):
        return
    if tendrils:
        say("No Tendril is online; start one with: tendril run")
    else:
        say("You have no Tendril; make one with: grape tendril register NAME, then: tendril run")


def _duration(job: Job) -> str:
    if job.started_at is None or job.completed_at is None:
        return ""
    return f" in {(job.completed_at - job.started_at).total_seconds():.0f} s"
