"""grape delete."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.errors import say
from grape.naming import vine_named

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.command()
@click.argument("vine")
@click.option("--yes", is_flag=True, help="Do not ask.")
@signed_in
async def delete(client: AsyncVintner, vine: str, yes: bool) -> None:
    """Delete a vine that has no resources.

    Only one that is DRAFT or DESTROYED: of any other, resources may exist, and it is to be
    destroyed first. Its jobs and their logs go with it.
    """
    found = await vine_named(client, vine)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask on: --yes deletes without asking.")
        click.confirm(
            f"Delete the vine {found.label}, which is {found.status}?", abort=True, err=True
        )
    await client.vines.delete(found.id)
    say(f"The vine {found.label} is deleted.")
