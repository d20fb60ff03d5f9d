"""The commands that keep the data by name and put it back."""

from __future__ import annotations

import click

from vintner_local.cli.options import report, with_stack
from vintner_local.snapshots import present, take
from vintner_local.snapshots import restore as put_back
from vintner_local.stack import Stack


@click.command()
@click.argument("name")
@with_stack
@click.option("--force", is_flag=True, help="Replace a snapshot of that name.")
def snapshot(stack: Stack, name: str, force: bool) -> None:
    """Keep the data by name; the stack stops for it and starts again."""
    take(stack, name, report, force=force)


@click.command()
@click.argument("name")
@with_stack
def restore(stack: Stack, name: str) -> None:
    """Put a snapshot in the place of the data; keys and ports stay."""
    put_back(stack, name, report)


@click.command()
@with_stack
def snapshots(stack: Stack) -> None:
    """List the snapshots, oldest first."""
    for found in present(stack):
        click.echo(f"{found.taken.astimezone():%Y-%m-%d %H:%M:%S}  {found.name}")
