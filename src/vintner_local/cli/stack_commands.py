"""The commands that start, stop and describe a stack."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, get_args

import click
import psutil
from rich import box
from rich.console import Console
from rich.table import Table

from vintner_local import lifecycle
from vintner_local.cli.options import report, with_stack
from vintner_local.env_file import render
from vintner_local.functions.app import MOUNTED_AT, NAME
from vintner_local.functions.runtime import ENTRY
from vintner_local.lifecycle import Wishes
from vintner_local.settings import RealtimeDelay
from vintner_local.stack import FUNCTIONS, PARTS, Running, Stack, StackState

PORT = click.IntRange(0, 65535)
NOT_RUNNING = 3


def _start_options(command: Callable[[Stack, Wishes], None]) -> Callable[..., None]:
    """Adds the options of a start to a command, which is given the wishes they mean."""
    options = (
        click.option("--api-port", type=PORT, help="The API's port, 0 for any [default: 54321]."),
        click.option("--db-port", type=PORT, help="PostgreSQL's port, 0 for any [default: 54322]."),
        click.option(
            "--env-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Where to write URL and keys [default: PROJECT/.env].",
        ),
        click.option(
            "--realtime-delay",
            type=click.Choice(get_args(RealtimeDelay)),
            help="Deliver changes at once, or after a time as a hosted server does [default: 0].",
        ),
    )

    @wraps(command)
    def with_wishes(
        stack: Stack,
        api_port: int | None,
        db_port: int | None,
        env_file: Path | None,
        realtime_delay: RealtimeDelay | None,
    ) -> None:
        env_file = env_file or stack.project / ".env"
        command(stack, Wishes(api_port, db_port, env_file, realtime_delay=realtime_delay))

    decorated: Callable[..., None] = with_wishes
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


@click.command()
@with_stack
@_start_options
def up(stack: Stack, wishes: Wishes) -> None:
    """Start the stack, apply migrations and seed, print URL and keys."""
    state = lifecycle.up(stack, wishes, report)
    click.echo(render(state.variables()), nl=False)


@click.command()
@with_stack
@_start_options
def reset(stack: Stack, wishes: Wishes) -> None:
    """Drop all data and make it again; the keys stay."""
    state = lifecycle.reset(stack, wishes, report)
    click.echo(render(state.variables()), nl=False)


@click.command()
@with_stack
def down(stack: Stack) -> None:
    """Stop the stack; its data stays."""
    lifecycle.down(stack, report)


@click.command()
@with_stack
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "env", "json"]),
    default="table",
    show_default=True,
)
@click.pass_context
def status(context: click.Context, stack: Stack, output: str) -> None:
    """Show what runs and where. The exit status is 0 when everything runs, else 3."""
    running, state = lifecycle.running(stack), stack.load_state()
    parts = _parts(running)
    lent = _run_by_the_api(stack, running)
    if output == "table":
        Console().print(_table({**parts, **lent}, state if running else None))
    elif output == "env":
        click.echo(render(state.variables()) if state and running else "", nl=False)
    else:
        variables = state.variables() if state and running else {}
        click.echo(json.dumps({"parts": {**parts, **lent}, "variables": variables}, indent=2))
    if any(part["state"] != "running" for part in parts.values()):
        context.exit(NOT_RUNNING)


def _parts(running: Running | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {name: {"state": "stopped"} for name in PARTS}
    if running is None:
        return {"supervisor": {"state": "stopped"}, **found}
    for name, part in running.parts.items():
        if part.process.alive():
            state = "running" if part.ready else "starting"
            found[name] = {"state": state, "pid": part.process.pid, "restarts": part.restarts}
    return {"supervisor": {"state": "running", "pid": running.supervisor.pid}, **found}


def _run_by_the_api(stack: Stack, running: Running | None) -> dict[str, dict[str, Any]]:
    """PostgREST and the functions, which the first request starts: `running` or `idle`."""
    launch, api = stack.load_launch(), running.parts.get("api") if running else None
    process = api.process.find() if api else None
    if launch is None or process is None:
        return {}
    words: set[str] = set()
    with suppress(psutil.Error):
        for child in process.children(recursive=True):
            words.update(child.cmdline())
    found = {}
    if launch.api.postgrest is not None:
        found["postgrest"] = (str(launch.api.postgrest.program), "/rest/v1")
    for entry in sorted((stack.project / FUNCTIONS).glob(f"*/{ENTRY}")):
        if NAME.fullmatch(entry.parent.name):
            found[f"functions/{entry.parent.name}"] = (
                entry.as_uri(),
                f"{MOUNTED_AT}/{entry.parent.name}",
            )
    return {
        name: {
            "state": "running" if program in words else "idle",
            "url": f"{launch.api.public_url}{path}",
        }
        for name, (program, path) in found.items()
    }


def _table(parts: dict[str, dict[str, Any]], state: StackState | None) -> Table:
    reached = {"api": state.api_url, "postgres": f"127.0.0.1:{state.db_port}"} if state else {}
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("part", "state", "pid", "restarts", "reached at"):
        table.add_column(column, overflow="fold")
    for name, part in parts.items():
        table.add_row(
            name,
            part["state"],
            str(part.get("pid", "")),
            str(part.get("restarts", "")),
            part.get("url") or reached.get(name, ""),
        )
    return table
