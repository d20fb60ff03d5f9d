"""The Supabase CLI, pointed at a stack's database."""

from __future__ import annotations

import os
from dataclasses import dataclass

from vintner_local.install import Parts
from vintner_local.ports import HOST
from vintner_local.stack import Stack, StackState

ROLE = "postgres"


@dataclass(frozen=True)
class Invocation:
    """How a command of the CLI is run.

    Attributes:
        arguments: the program and its arguments; hold no secret, since other users can read them.
        environment: the whole environment of the process; holds the database's password.
    """

    arguments: list[str]
    environment: dict[str, str]


def invocation(stack: Stack, state: StackState, parts: Parts, *command: str) -> Invocation:
    """A command of the CLI for this stack.

    Variables that point the CLI at another project or account are left out.

    Args:
        stack: whose project it works on.
        state: where the database is.
        parts: holds the CLI.
        command: the command and its own arguments.
    """
    url = f"postgresql://{ROLE}@{HOST}:{state.db_port}/postgres?sslmode=disable"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SUPABASE_")}
    return Invocation(
        [str(parts.supabase), *command, f"--remote={url}", f"--workdir={stack.project}"],
        {
            **kept,
            "PGPASSWORD": state.password,
            "SUPABASE_HOME": str(stack.folder / "cli"),
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "SUPABASE_NO_UPDATE_NOTIFIER": "1",
            "DO_NOT_TRACK": "1",
        },
    )
