"""grape plan, grape harvest, grape destroy."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.following import see_through
from grape.naming import vine_named

if TYPE_CHECKING:
    from vintner_client import AsyncVintner
    from vintner_client.models import Vine

detach_option = click.option(
    "--detach", is_flag=True, help="Print the job's id and return at once."
)


@click.command()
@click.argument("vine")
@detach_option
@signed_in
async def plan(client: AsyncVintner, vine: str, detach: bool) -> int:
    """Show what a harvest would change.

    Follows the job's log to its end. Ctrl-C leaves, and the job goes on.
    """
    found = await vine_named(client, vine)
    job = await client.vines.plan(found.id)
    return await see_through(client, job, found.label, detach=detach)


@click.command()
@click.argument("vine")
@detach_option
@signed_in
async def harvest(client: AsyncVintner, vine: str, detach: bool) -> int:
    """Make or change a vine's resources.

    Follows the job's log to its end. Ctrl-C leaves, and the job goes on.
    """
    found = await vine_named(client, vine)
    job = await client.vines.harvest(found.id)
    return await see_through(client, job, found.label, detach=detach)


@click.command()
@click.argument("vine")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--confirm", metavar="PROJECT", help="The project's name, for a production vine.")
@detach_option
@signed_in
async def destroy(
    client: AsyncVintner, vine: str, yes: bool, confirm: str | None, detach: bool
) -> int:
    """Remove a vine's resources.

    Follows the job's log to its end. Ctrl-C leaves, and the job goes on. The vine itself stays as
    a record, DESTROYED.
    """
    found = await vine_named(client, vine)
    confirmed = _confirmed(found, yes, confirm)
    job = await client.vines.destroy(found.id, confirm=confirmed)
    return await see_through(client, job, found.label, detach=detach)


def _confirmed(vine: Vine, yes: bool, confirm: str | None) -> str | None:
    if confirm is not None:
        return confirm
    if vine.environment_stage == "production":
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"{vine.label} is production: confirm with --confirm and its project's name."
            )
        return str(
            click.prompt(f"This destroys {vine.label}. Type its project's name to go on", err=True)
        )
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask on: --yes destroys without asking.")
        click.confirm(f"Destroy all resources of {vine.label}?", abort=True, err=True)
    return None
