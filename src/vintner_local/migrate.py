"""Applies a project's migrations and seed with the Supabase CLI, as for a hosted project."""

from __future__ import annotations

import subprocess

import psycopg
from pydantic import BaseModel, ValidationError

from vintner_local import supabase_cli
from vintner_local.errors import StackError
from vintner_local.install import Parts
from vintner_local.stack import Stack, StackState


class _Failure(BaseModel):
    code: str = ""
    message: str
    suggestion: str = ""


class _Result(BaseModel):
    error: _Failure | None = None
    migrations: list[str] = []
    seeds: list[str] = []


def push(stack: Stack, state: StackState, parts: Parts) -> list[str]:
    """Applies what the database lacks.

    Args:
        stack: whose project holds the migrations.
        state: where the database is.
        parts: holds the Supabase CLI.

    Returns:
        The names of the migrations and seed files that were applied.

    Raises:
        StackError: a migration or the seed fails.
    """
    push = supabase_cli.invocation(
        *(stack, state, parts),
        *("db", "push", "--include-seed", "--yes", "--output-format", "json"),
    )
    cli = subprocess.run(
        push.arguments,
        check=False,
        cwd=stack.project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=push.environment,
    )
    result = _parse(cli.stdout)
    if cli.returncode != 0 or result is None or result.error is not None:
        failure = result.error if result else None
        raise StackError(_summary(failure, cli.stderr), _detail(failure, cli.stdout + cli.stderr))
    return [*result.migrations, *result.seeds]


def reload_schema(state: StackState) -> None:
    """Tells the API to look at the schema again.

    Raises:
        StackError: the database is away.
    """
    try:
        with psycopg.connect(
            state.db_url(supabase_cli.ROLE), sslmode="disable", autocommit=True
        ) as connection:
            connection.execute("notify pgrst, 'reload schema'")
    except psycopg.Error as error:
        raise StackError(f"the API cannot be told of the migrations: {error}") from error


def _parse(output: str) -> _Result | None:
    lines = output.strip().splitlines()
    try:
        return _Result.model_validate_json(lines[-1]) if lines else None
    except ValidationError:
        return None


def _summary(failure: _Failure | None, progress: str) -> str:
    """One sentence: what was being applied, and the first line of what went wrong."""
    doing = [
        line.strip().rstrip(".")
        for line in progress.splitlines()
        if line.startswith(("Applying migration", "Seeding data"))
    ]
    what = doing[-1][:1].lower() + doing[-1][1:] if doing else "applying the migrations"
    if failure is None:
        return f"{what} failed: the Supabase CLI says no reason that can be read"
    first, _, _ = failure.message.strip().partition("\n")
    return f"{what} failed: {first}"


def _detail(failure: _Failure | None, output: str) -> str:
    if failure is None:
        return output
    rest = failure.message.strip().splitlines()[1:]
    return "\n".join([*rest, failure.suggestion.strip()])
