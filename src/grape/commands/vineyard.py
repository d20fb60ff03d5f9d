"""grape vineyard create, grape vineyard list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.errors import say
from grape.output import json_option, write, write_rows

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.group()
def vineyard() -> None:
    """Make and list vineyards: groups of vines."""


@vineyard.command()
@click.argument("name")
@click.option("--description", help="What it is for.")
@signed_in
async def create(client: AsyncVintner, name: str, description: str | None) -> None:
    """Make a vineyard and print its id."""
    made = await client.vineyards.create(name=name, description=description)
    write(str(made.id))
    say(f"The vineyard {made.name} is made.")


@vineyard.command("list")
@json_option
@signed_in
async def list_(client: AsyncVintner, as_json: bool) -> None:
    """List the vineyards of your accounts."""
    rows = [
        {
            "id": found.id,
            "name": found.name,
            "description": found.description,
            "created_at": found.created_at,
        }
        async for found in client.vineyards.list()
    ]
    write_rows(rows, as_json=as_json, empty="No vineyard yet. Make one: grape vineyard create NAME")
