"""grape plant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.errors import say
from grape.input_files import read_mapping
from grape.naming import identity_named, vineyard_named
from grape.output import write

if TYPE_CHECKING:
    from vintner_client import AsyncVintner


@click.command()
@click.option(
    "-f",
    "--file",
    "path",
    required=True,
    metavar="FILE",
    help="Manifest, YAML or JSON; - for stdin.",
)
@click.option("--vineyard", metavar="NAME", help="Vineyard to plant in, by name or id.")
@click.option("--identity", metavar="NAME", help="Cloud identity to provision in, by name or id.")
@signed_in
async def plant(
    client: AsyncVintner, path: str, vineyard: str | None, identity: str | None
) -> None:
    """Make a vine from a manifest.

    Prints the vine's id. All of the manifest is planted, or nothing.
    """
    manifest = read_mapping(path)
    if vineyard is not None:
        manifest["vineyard_id"] = str((await vineyard_named(client, vineyard)).id)
    elif "vineyard_id" not in manifest:
        raise click.UsageError("Name the vineyard to plant in: --vineyard NAME.")
    if identity is not None:
        manifest["cloud_identity_id"] = str((await identity_named(client, identity)).id)
    vine = await client.vines.plant(manifest)
    write(str(vine.id))
    say(f"{vine.label} is planted. Next: grape plan {vine.label}")
