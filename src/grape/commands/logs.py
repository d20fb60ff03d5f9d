"""grape logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.following import follow, print_chunk
from grape.naming import job_named

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.command()
@click.argument("job")
@click.option("-f", "--follow", "is_followed", is_flag=True, help="Go on until the job has ended.")
@signed_in
async def logs(client: AsyncVintner, job: str, is_followed: bool) -> int:
    """Print or follow a job's log.

    JOB is a job's id, or a vine, for its newest job.
    """
    found = await job_named(client, job)
    if not is_followed:
        async for chunk in client.jobs.logs(found.id):
            print_chunk(chunk)
        return 0
    vine = await client.vines.get(found.vine_id) if found.vine_id else None
    return await follow(client, found, vine.label if vine else "no vine")
