"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from vintner_local.stack import Stack, find_stack

FOLDER = click.Path(file_okay=False, path_type=Path)


def report(line: str) -> None:
    """Tells progress, apart from what a script may want to read."""
    click.echo(line, err=True)


def with_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --project and --data to a command, which is given the stack they mean."""

    @click.option("--project", type=FOLDER, help="Folder with supabase/config.toml.")
    @click.option("--data", type=FOLDER, help="The stack's folder [default: PROJECT/.vintner].")
    @wraps(command)
    def with_options(project: Path | None, data: Path | None, **options: Any) -> None:
        stack: Stack = find_stack(project, data)
        command(stack, **options)

    return with_options
