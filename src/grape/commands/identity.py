"""grape identity create, grape identity list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.errors import say
from grape.input_files import read_mapping
from grape.output import json_option, write, write_rows

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.group()
def identity() -> None:
    """Make and list cloud identities: accounts to provision in."""


@identity.command()
@click.argument("name")
@click.option(
    "--provider",
    required=True,
    metavar="PROVIDER",
    help="aws, gcp, azure, or local: provisions nothing, for trying Vintner out.",
)
@click.option(
    "--credentials",
    "credentials_file",
    metavar="FILE",
    help="Credentials as JSON or YAML; - for standard input.",
)
@signed_in
async def create(
    client: AsyncVintner, name: str, provider: str, credentials_file: str | None
) -> None:
    """Make a cloud identity and print its id.

    The database encrypts the secret keys of the credentials; nobody can read them back.
    """
    credentials = read_mapping(credentials_file) if credentials_file else {}
    made = await client.identities.create(provider=provider, name=name, credentials=credentials)
    write(str(made.id))
    say(f"The cloud identity {made.name} is made.")


@identity.command("list")
@json_option
@signed_in
async def list_(client: AsyncVintner, as_json: bool) -> None:
    """List the cloud identities of your accounts."""
    rows = [
        {
            "id": found.id,
            "name": found.name,
            "provider": found.provider,
            "is_verified": found.is_verified,
            "created_at": found.created_at,
        }
        async for found in client.identities.list()
    ]
    empty = "No cloud identity yet. Make one: grape identity create NAME --provider PROVIDER"
    write_rows(rows, as_json=as_json, empty=empty)
