"""Databases of a test's own."""

from __future__ import annotations

import time

import psycopg
from psycopg import sql


def drop(admin: psycopg.Connection, name: str) -> None:
    """Drops a database; the end of a replication that a server just left takes a moment.

    Args:
        admin: another database of the cluster, as superuser, in autocommit.
        name: of the database.
    """
    end = "select pg_terminate_backend(active_pid) from pg_replication_slots where database = %s"
    admin.execute(f"{end} and active_pid is not null", [name])
    slots = "select from pg_replication_slots where database = %s"
    deadline = time.monotonic() + 10
    while admin.execute(slots, [name]).fetchone() and time.monotonic() < deadline:
        time.sleep(0.02)
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
