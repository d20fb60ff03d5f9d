"""A PostgreSQL server of a benchmark's own, without an API beside it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from vintner_local.install import install
from vintner_local.keys import Keys
from vintner_local.lifecycle import LOGIN_ROLES
from vintner_local.migrate import push
from vintner_local.postgres import Cluster
from vintner_local.server_user import place_for_cluster, server_user
from vintner_local.stack import SUPERUSER, StackState, find_stack, new_password

PROJECT = Path(__file__).parents[2]
MEMORY = {"shared_buffers": "1GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min"}
"""Room for what is measured, so that no checkpoint falls into one round and not into another."""
SHOWN = (
    *("server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_level"),
    *("shared_buffers", "max_wal_size", "checkpoint_timeout", "autovacuum", "jit"),
)


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        state: its port and password.
    """

    state: StackState

    def url(self, database: str = "postgres") -> str:
        """A database as the superuser."""
        return f"{self.state.db_url(SUPERUSER).rpartition('/')[0]}/{database}?sslmode=disable"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A session of the superuser, in autocommit."""
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str) -> None:
        """Makes an empty database."""
        with self.connect() as admin:
            admin.execute(
                sql.SQL("create database {} template template0").format(sql.Identifier(database))
            )

    def settings(self) -> str:
        """The settings that bear on speed, as one line."""
        with self.connect() as admin:
            rows = admin.execute(
                "select name, current_setting(name) from unnest(%s::text[]) as s (name)",
                [list(SHOWN)],
            ).fetchall()
        return ", ".join(f"{name} {value}" for name, value in rows)


@contextmanager
def throwaway_server() -> Iterator[Server]:
    """A server with this project's migrations in `postgres`; it is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="vintner-bench-"))
    folder.chmod(0o711)
    parts, stack = install(print), find_stack(PROJECT, folder / "stack")
    stack.make_folder()
    user = server_user(None)
    state = StackState(
        api_port=0,
        db_port=0,
        keys=Keys.generate(),
        password=new_password(),
        cluster=place_for_cluster(stack, user),
    )
    cluster = Cluster(state.cluster, parts, user)
    options = [word for item in MEMORY.items() for word in ("-c", "=".join(item))]
    try:
        cluster.create(SUPERUSER, LOGIN_ROLES, state.password)
        with cluster.served(*options) as port:
            state = state.model_copy(update={"db_port": port})
            push(stack, state, parts)
            yield Server(state)
    finally:
        shutil.rmtree(state.cluster, ignore_errors=True)
        shutil.rmtree(folder)
