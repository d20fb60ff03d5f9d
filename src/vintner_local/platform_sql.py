"""The SQL that makes a plain PostgreSQL look like a Supabase project."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import psycopg
from psycopg import sql

from vintner_local.errors import StackError

TEMPLATE = "platform_template"
"""A database with the platform SQL and nothing else, to make fresh databases from."""


def platform_files() -> list[tuple[str, str]]:
    """Name and text of each file, in the order in which they are applied."""
    folder = files("vintner_local") / "platform"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name, (folder / name).read_text(encoding="utf-8")) for name in names]


def fingerprint() -> str:
    """Changes when any of the files does."""
    digest = hashlib.sha256()
    for name, text in platform_files():
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()


def apply(connection: psycopg.Connection) -> None:
    """Applies every file to a fresh cluster, each in a transaction of its own.

    Args:
        connection: as the superuser, in autocommit mode.

    Raises:
        StackError: a file fails.
    """
    for name, text in platform_files():
        try:
            with connection.transaction():
                connection.execute(text.encode())
        except psycopg.Error as error:
            raise StackError(f"the platform SQL {name} failed: {error}") from error


def set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Gives a role its password, of which the server only sees the verifier."""
    verifier = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
    )


def keep_template(connection: psycopg.Connection) -> None:
    """Copies the prepared database. Nobody can connect to the copy, so it can always be copied.

    Args:
        connection: as the superuser, to another database than `postgres`.
    """
    connection.execute(
        sql.SQL(
            "create database {} template postgres is_template true allow_connections false"
        ).format(sql.Identifier(TEMPLATE))
    )
