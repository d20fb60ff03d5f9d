"""Auth behind the gateway over a database of the test's own, and the clients that speak to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from aiohttp import web
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from supabase_auth import AsyncGoTrueClient

from vintner_local import auth, gateway
from vintner_local.keys import Keys
from vintner_local.platform_sql import TEMPLATE
from vintner_local.settings import SETTINGS, ApiSettings

PASSWORD = "correct horse battery"
PATIENCE = 60.0
"""Seconds for an answer: a crowd of sign-ins on a busy machine takes a while."""
VERSION = {"X-Supabase-Api-Version": "2024-01-01"}

Sql = Callable[..., Awaitable[list[dict[str, Any]]]]


@dataclass(frozen=True)
class Api:
    """Where the API runs, and its keys."""

    url: str
    keys: Keys
    dsn: str

    def client(self, key: str | None = None) -> AsyncGoTrueClient:
        key = key or self.keys.publishable
        headers = {"apikey": key, "Authorization": f"Bearer {key}"}
        return AsyncGoTrueClient(
            url=f"{self.url}/auth/v1",
            headers=headers,
            auto_refresh_token=False,
            http_client=httpx.AsyncClient(timeout=PATIENCE),
        )

    def http(self, key: str | None = None, token: str | None = None) -> httpx.AsyncClient:
        headers = {"apikey": key or self.keys.publishable}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.AsyncClient(base_url=f"{self.url}/auth/v1", headers=headers, timeout=PATIENCE)


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """A fresh database with the platform SQL; the server's login roles share one password."""
    server = os.environ["VINTNER_TEST_ADMIN_DSN"]
    name = f"auth_{uuid4().hex}"
    made, model = sql.Identifier(name), sql.Identifier(TEMPLATE)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {} template {}").format(made, model))
        yield make_conninfo(server, dbname=name)
        admin.execute(sql.SQL("drop database {} with (force)").format(made))


@pytest.fixture
def dsn(database: str) -> Iterator[str]:
    """That database without users, as the superuser."""
    yield database
    with psycopg.connect(database) as admin:
        admin.execute("truncate auth.users cascade")


@asynccontextmanager
async def serving(dsn: str, **changes: Any) -> AsyncIterator[Api]:
    keys = Keys.generate()
    given = conninfo_to_dict(dsn)

    def as_role(role: str) -> str:
        return make_conninfo(dsn, user=role, password=str(given["password"]))

    settings = ApiSettings(
        public_url="http://127.0.0.1:54321",
        rest_dsn=as_role("authenticator"),
        auth_dsn=changes.pop("auth_dsn", as_role("supabase_auth_admin")),
        realtime_dsn=dsn,
        keys=keys,
        **changes,
    )
    # Behind the gateway's own checks, but without its other parts, which need not run here.
    app = web.Application(middlewares=gateway.create_app(settings).middlewares)
    app[SETTINGS] = settings
    app.add_subapp("/auth/v1", auth.create_app(settings))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield Api(f"http://{host}:{port}", keys, dsn)
    finally:
        await runner.cleanup()


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn) as running:
        yield running


@pytest.fixture
async def query(dsn: str) -> AsyncIterator[Sql]:
    """Runs SQL as the migrations' role `postgres`."""
    async with AsyncExitStack() as stack:
        as_postgres = make_conninfo(dsn, user="postgres")
        connection = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(
                as_postgres, autocommit=True, row_factory=dict_row
            )
        )

        async def run(text: str, *values: object) -> list[dict[str, Any]]:
            cursor = await connection.execute(text.encode(), values or None)
            return await cursor.fetchall() if cursor.description else []

        yield run
