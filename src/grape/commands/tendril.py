"""grape tendril register, grape tendril list."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.errors import GrapeError, say
from grape.output import json_option, write, write_rows

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.group()
def tendril() -> None:
    """Register and list Tendrils: what runs the jobs."""


@tendril.command()
@click.argument("name")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the token to this new file, readable by you alone, and print the Tendril's id.",
)
@signed_in
async def register(client: AsyncVintner, name: str, token_file: Path | None) -> None:
    """Make a Tendril and print its token.

    The token is shown this once: it is the Tendril's password.
    """
    if token_file is None:
        made = await client.tendrils.register(name=name)
        write(made.token.get_secret_value())
    else:
        made_id = await _register_into(client, name, token_file)
        write(made_id)
    say(f"The Tendril {name} is registered. Start it with: tendril run")
    if not (shutil.which("terraform") or shutil.which("tofu")):
        say(
            "Neither terraform nor tofu is on PATH. Install Terraform 1.6 or newer, or OpenTofu, "
            "where the Tendril is to run."
        )


async def _register_into(client: AsyncVintner, name: str, path: Path) -> str:
    # made first: a token that could not be written would be lost
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise GrapeError(f"{path} exists already.", "Name a new file.") from None
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            made = await client.tendrils.register(name=name)
            file.write(made.token.get_secret_value() + "\n")
    except BaseException:
        os.unlink(path)
        raise
    return str(made.worker_id)


@tendril.command("list")
@json_option
@signed_in
async def list_(client: AsyncVintner, as_json: bool) -> None:
    """List your Tendrils."""
    rows = [
        {
            "id": found.id,
            "name": found.name,
            "mode": found.mode,
            "status": found.status,
            "version": found.version,
            "last_heartbeat": found.last_heartbeat,
            "created_at": found.created_at,
        }
        async for found in client.tendrils.list()
    ]
    empty = "No Tendril yet. Make one: grape tendril register NAME"
    write_rows(rows, as_json=as_json, empty=empty)
