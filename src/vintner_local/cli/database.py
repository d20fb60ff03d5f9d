"""The commands that speak to the database: SQL, and the Supabase CLI."""

from __future__ import annotations

import os
import sys

import click
import psycopg

from vintner_local import lifecycle
from vintner_local.cli.options import report, with_stack
from vintner_local.errors import StackError
from vintner_local.install import install
from vintner_local.query import FORMATS, Result, run
from vintner_local.stack import Stack, StackState
from vintner_local.supabase_cli import invocation


@click.command()
@click.argument("statement", required=False)
@with_stack
@click.option("--json", "output", flag_value="json", help="Rows as a JSON array of objects.")
@click.option("--csv", "output", flag_value="csv", help="Rows as CSV with a header.")
def sql(stack: Stack, statement: str | None, output: str | None) -> None:
    """Run SQL as `postgres`, from the argument or from standard input."""
    state = _running(stack)
    text = statement if statement is not None else sys.stdin.read()
    show = FORMATS[output or "table"]
    try:
        for result in run(state.db_url("postgres"), text, _notice):
            _print(result, show(result) if result.columns else None, quiet=output is not None)
    except psycopg.Error as error:
        raise StackError(f"{error.diag.severity or 'ERROR'}: {_message(error)}") from error


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Run the Supabase CLI on the stack's database.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_stack
def supabase(stack: Stack, arguments: tuple[str, ...]) -> None:
    """Run the Supabase CLI on the stack's database, as in `supabase gen types --lang python`.

    The options of this command come before the CLI's own words.
    """
    run = invocation(stack, _running(stack), install(report), *arguments)
    os.execve(run.arguments[0], run.arguments, run.environment)  # noqa: S606 (no shell is meant)


def _running(stack: Stack) -> StackState:
    state = stack.load_state()
    if state is None or lifecycle.running(stack) is None:
        raise StackError("the stack is not running: start it with `vintner-local up`")
    return state


def _print(result: Result, text: str | None, quiet: bool) -> None:
    if text is not None:
        click.echo(text)
    elif not quiet:
        click.echo(result.command)


def _notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    click.echo(f"{diagnostic.severity}: {diagnostic.message_primary}", err=True)


def _message(error: psycopg.Error) -> str:
    lines = [str(error).strip()]
    if error.diag.message_hint and error.diag.message_hint not in lines[0]:
        lines.append(f"HINT: {error.diag.message_hint}")
    return "\n".join(lines)
