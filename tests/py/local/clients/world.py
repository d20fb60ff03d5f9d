"""A whole API in the test's own process, over a database of its own."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web
from psycopg import sql
from psycopg.conninfo import make_conninfo

from support.databases import drop
from vintner_local import gateway
from vintner_local.keys import Keys
from vintner_local.platform_sql import TEMPLATE
from vintner_local.settings import ApiSettings

SCHEMA = Path(__file__).with_name("schema.sql")
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class World:
    """Where the API runs, its keys, and the database behind it as `postgres`."""

    url: str
    keys: Keys
    dsn: str

    def sql(self, *statements: str) -> None:
        """Runs statements, each in a transaction of its own."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """A database with the platform SQL and the tables of these tests; gives the superuser's DSN."""
    name = f"clients_{secrets.token_hex(6)}"
    made, model = sql.Identifier(name), sql.Identifier(TEMPLATE)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template {}").format(made, model))
        try:
            dsn = make_conninfo(server, dbname=name)
            with psycopg.connect(make_conninfo(dsn, user="postgres")) as owner:
                owner.execute(SCHEMA.read_bytes())
            yield dsn
        finally:
            drop(admin, name)


@asynccontextmanager
async def serving(dsn: str, **changes: Any) -> AsyncIterator[World]:
    """Serves the whole API in front of a database; its login roles share one password."""
    keys = Keys.generate()
    settings = ApiSettings(
        public_url="http://127.0.0.1",
        rest_dsn=make_conninfo(dsn, user="authenticator"),
        auth_dsn=make_conninfo(dsn, user="supabase_auth_admin"),
        realtime_dsn=dsn,
        keys=keys,
        **changes,
    )
    runner = web.AppRunner(gateway.create_app(settings), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        yield World(f"http://127.0.0.1:{port}", keys, make_conninfo(dsn, user="postgres"))
    finally:
        await runner.cleanup()


def new_email() -> str:
    """An address that no other test has."""
    return f"{uuid.uuid4().hex}@example.com"
