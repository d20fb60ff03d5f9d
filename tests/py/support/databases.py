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

    Raises:
        psycopg.errors.ObjectInUse: somebody replicates it all the time.
    """
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s"
    drop = sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
    deadline = time.monotonic() + PATIENCE
    while True:
        admin.execute(end, [name])
        try:
            admin.execute(drop)
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
