"""grape cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.errors import say
from grape.naming import job_named

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.command()
@click.argument("job")
@signed_in
async def cancel(client: AsyncVintner, job: str) -> None:
    """Cancel a job.

    JOB is a job's id, or a vine, for its newest job.

    One that has not started ends at once; the Tendril of a running one is asked to stop, which
    lets Terraform finish what it is in the middle of.
    """
    cancelled = await client.jobs.cancel((await job_named(client, job)).id)
    if cancelled.status.is_final:
        say(f"The job {cancelled.id} is cancelled.")
    else:
        say(f"The job {cancelled.id} is asked to stop. See it: grape logs -f {cancelled.id}")
