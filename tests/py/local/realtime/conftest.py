"""A database of its own for these tests, and Realtime servers on it."""

from __future__ import annotations

import gc
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from psycopg.conninfo import make_conninfo

from support.databases import drop
from vintner_local import realtime
from vintner_local.keys import Keys
from vintner_local.platform_sql import platform_files
from vintner_local.realtime import Limits
from vintner_local.settings import ApiSettings

SCHEMA = Path(__file__).with_name("schema.sql")
# What the cluster-wide file of the platform does to its first database alone.
FIRST_DATABASE = """
alter schema public owner to postgres;
grant usage on schema public to anon, authenticated, service_role;
create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
"""
SETUP_LOCK = 7_310_492
TABLES = (
    "job_events, je_full, open_full, open_default, no_grant, no_pk, not_in_pub, partly_granted,"
    " strict_policy, typed, wide"
)


@dataclass(frozen=True)
class Server:
    """A running Realtime server.

    Attributes:
        url: its base, `http://127.0.0.1:PORT/realtime/v1`.
        keys: its keys.
        admin_dsn: its database, as superuser.
        runner: to shut it down.
    """

    url: str
    keys: Keys
    admin_dsn: str
    runner: web.AppRunner

    def sql(self, *statements: str) -> None:
        """Runs statements, each in a transaction of its own."""
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


StartServer = Callable[..., Awaitable[Server]]


@pytest.fixture(scope="session")
def realtime_dsn() -> Iterator[str]:
    """A fresh database on the server of `VINTNER_TEST_ADMIN_DSN`, with the recordings' tables."""
    admin = os.environ.get("VINTNER_TEST_ADMIN_DSN")
    if not admin:
        pytest.fail("VINTNER_TEST_ADMIN_DSN names no PostgreSQL server with the platform SQL")
    name = f"realtime_{secrets.token_hex(6)}"
    with psycopg.connect(admin, autocommit=True) as connection:
        dsn = make_conninfo(admin, dbname=name)
        # The platform SQL changes roles, which two test processes cannot do at once.
        connection.execute("select pg_advisory_lock(%s)", (SETUP_LOCK,))
        connection.execute(f"create database {name}")
        try:
            with psycopg.connect(dsn, autocommit=True) as fresh:
                fresh.execute(FIRST_DATABASE)
                for file, text in platform_files():
                    if not file.startswith("10_"):
                        fresh.execute(text.encode())
                fresh.execute(SCHEMA.read_bytes())
            connection.execute("select pg_advisory_unlock(%s)", (SETUP_LOCK,))
            yield dsn
        finally:
            drop_database(connection, name)


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drops a database; the slot of a server that just stopped may be there for a moment."""
    deadline = time.monotonic() + 20
    while True:
        try:
            drop(connection, name)
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture
async def start_server(realtime_dsn: str) -> AsyncIterator[StartServer]:
    """Starts servers that are stopped when the test ends; the tables are empty before."""
    with psycopg.connect(realtime_dsn, autocommit=True) as connection:
        connection.execute(f"truncate {TABLES}, realtime.messages")
    async with AsyncExitStack() as stack:

        async def start(
            *,
            delay: str = "0",
            limits: Limits | None = None,
            dsn: str = realtime_dsn,
            port: int = 0,
            keys: Keys | None = None,
        ) -> Server:
            settings = ApiSettings.model_validate(
                {
                    "public_url": "http://127.0.0.1",
                    "rest_dsn": dsn,
                    "auth_dsn": dsn,
                    "realtime_dsn": dsn,
                    "keys": keys or Keys.generate(),
                    "realtime_delay": delay,
                }
            )
            app = web.Application()
            app.add_subapp("/realtime/v1", realtime.create_app(settings, limits))
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/realtime/v1"
            return Server(url, settings.keys, realtime_dsn, runner)

        yield start
    # A connection that was being opened when its server stopped lives on in a reference cycle, and
    # as long as its handshake is unfinished no session can drop a database, nor make a slot.
    gc.collect()


@pytest.fixture
async def server(start_server: StartServer) -> Server:
    """A server that delivers at once."""
    return await start_server()
