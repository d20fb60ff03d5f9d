"""The command's group, and how its errors are told."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from vintner_local.cli.database import sql, supabase
from vintner_local.cli.logs import logs
from vintner_local.cli.serving import serve
from vintner_local.cli.snapshots import restore, snapshot, snapshots
from vintner_local.cli.stack_commands import down, reset, status, up
from vintner_local.errors import StackError


class _Group(click.Group):
    """Tells what stands in the way as one sentence, with details below it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StackError as error:
            click.echo(f"vintner-local: {error}", err=True)
            for line in error.detail.splitlines():
                click.echo(f"  {line}", err=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except UnicodeError:
            click.echo("vintner-local: the text is not UTF-8", err=True)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            click.echo(f"vintner-local: {error.strerror or error}{where}", err=True)
        sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vintner")
def main() -> None:
    """Runs a Supabase project on this machine, without Docker."""


for command in (
    *(up, down, status, reset, logs, sql, supabase, serve),
    *(snapshot, restore, snapshots),
):
    main.add_command(command)
