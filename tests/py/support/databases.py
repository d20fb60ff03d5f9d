"""Databases of a test's own."""

from __future__ import annotations

import time

import psycopg
from psycopg import sql

PATIENCE = 30.0


def drop(admin: psycopg.Connection, name: str) -> None:
    """Drops a database; the end of a replication that a server just left takes a moment.

    Args:
        admin: another database of the cluster, as superuser, in autocommit.
        name: of the database.
    """
    # a server that has just gone may still be making its slot
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
    slots = "select from pg_replication_slots where database = %s"
    deadline = time.monotonic() + PATIENCE
    admin.execute(end, [name])
    while admin.execute(slots, [name]).fetchone() and time.monotonic() < deadline:
        time.sleep(0.02)
        admin.execute(end, [name])
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
