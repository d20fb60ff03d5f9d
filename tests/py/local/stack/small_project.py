"""A small project of its own, and the command run on it as a person runs it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from vintner_local import lifecycle
from vintner_local.cli import main
from vintner_local.stack import Running, Stack, StackState

MIGRATION = "20260101000100_notes.sql"


@dataclass(frozen=True)
class Project:
    """A project with one table and one seeded row."""

    stack: Stack

    def command(self, name: str, *arguments: str, stdin: str | None = None) -> Result:
        """Runs a command of `vintner-local` on the project."""
        where = ("--project", str(self.stack.project))
        return CliRunner().invoke(main, [name, *where, *arguments], input=stdin)

    def up(self, *arguments: str) -> Result:
        """Starts the stack on ports that no other test uses."""
        fresh = () if self.stack.load_state() else ("--api-port", "0", "--db-port", "0")
        return self.command("up", *fresh, *arguments)

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """The rows of a statement."""
        done = self.command("sql", "--json", statement)
        assert done.exit_code == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    @property
    def state(self) -> StackState:
        """What the stack remembers."""
        state = self.stack.load_state()
        assert state is not None
        return state

    @property
    def running(self) -> Running:
        """What runs."""
        running = lifecycle.running(self.stack)
        assert running is not None
        return running

    def migration(self, name: str) -> Path:
        """Path of a migration file."""
        return self.stack.project / "supabase" / "migrations" / name


def make_project(folder: Path) -> Project:
    """Makes a project in a folder."""
    (folder / "supabase" / "migrations").mkdir(parents=True)
    (folder / "supabase" / "config.toml").write_text('project_id = "notes"\n')
    (folder / "supabase" / "seed.sql").write_text(
        "insert into public.notes values (1, 'seeded');\n"
    )
    project = Project(Stack(folder, folder / ".vintner"))
    project.migration(MIGRATION).write_text(
        "create table public.notes (id bigint primary key, body text);\n"
    )
    return project


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
