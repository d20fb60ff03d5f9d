"""A database of its own, and the REST API in front of it, for this folder's tests."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from psycopg import conninfo, sql
from yarl import URL

from vintner_local import rest
from vintner_local.keys import Keys
from vintner_local.settings import ApiSettings

CONTRACT = Path(__file__).parents[4] / "tests" / "contract" / "rest"
MOUNTED_AT = "/rest/v1"


@dataclass(frozen=True)
class ContractDatabase:
    """The contract's database: as its owner, and as the role that serves requests."""

    owner: psycopg.Connection[tuple[Any, ...]]
    owner_dsn: str
    rest_dsn: str

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.owner.execute(statement.encode())

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.owner.execute(query.encode(), parameters).fetchall()


@dataclass(frozen=True)
class Answer:
    """What the API answered, the body unread."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Api:
    """A running REST API, and how to ask it something."""

    server: TestServer
    session: aiohttp.ClientSession
    keys: Keys

    async def ask(
        self,
        method: str,
        path: str,
        *,
        authorization: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        sent = {"Accept": "*/*", "Content-Type": "application/json", **(headers or {})}
        if authorization is not None:
            sent["Authorization"] = authorization
        url = URL(f"{self.server.make_url(MOUNTED_AT)}{path}", encoded=True)
        async with self.session.request(method, url, headers=sent, data=body) as response:
            answered = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, answered, await response.read())


@pytest.fixture(scope="session")
def contract_database() -> Iterator[ContractDatabase]:
    admin_dsn = os.environ["VINTNER_TEST_ADMIN_DSN"]
    suffix, password = secrets.token_hex(4), secrets.token_hex(16)
    database, role = sql.Identifier(f"rest_{suffix}"), sql.Identifier(f"rest_api_{suffix}")
    api_roles = sql.SQL("anon, authenticated, service_role")
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(database))
        admin.execute(sql.SQL("create role {} login noinherit password {}").format(role, password))
        admin.execute(sql.SQL("grant {} to {}").format(api_roles, role))
    owner_dsn = conninfo.make_conninfo(admin_dsn, dbname=f"rest_{suffix}")
    rest_dsn = conninfo.make_conninfo(owner_dsn, user=f"rest_api_{suffix}", password=password)
    schema = (CONTRACT / "schema.sql").read_text()
    plain = "\n".join(line for line in schema.splitlines() if not line.startswith("\\"))
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        found = ContractDatabase(owner, owner_dsn, rest_dsn)
        found.run(plain, (CONTRACT / "grants.sql").read_text())
        yield found
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(database))
        admin.execute(sql.SQL("drop role {}").format(role))


def api_settings(database: ContractDatabase, keys: Keys, **changes: Any) -> ApiSettings:
    settings = ApiSettings(
        public_url="http://127.0.0.1",
        rest_dsn=database.rest_dsn,
        auth_dsn=database.owner_dsn,
        realtime_dsn=database.owner_dsn,
        keys=keys,
        schemas=("public", "cloud"),
        safe_update=False,
    )
    return settings.model_copy(update=changes)


async def serve(settings: ApiSettings) -> AsyncIterator[Api]:
    app = web.Application(client_max_size=64 * 2**20)
    app.add_subapp(MOUNTED_AT, rest.create_app(settings))
    server = TestServer(app)
    await server.start_server(max_line_size=2**16)
    async with server, aiohttp.ClientSession() as session:
        yield Api(server, session, settings.keys)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def api(contract_database: ContractDatabase) -> AsyncIterator[Api]:
    async for running in serve(api_settings(contract_database, Keys.generate())):
        yield running


@pytest.fixture
def seeded(contract_database: ContractDatabase) -> ContractDatabase:
    """The contract's database with its first rows."""
    contract_database.run("select reseed()")
    return contract_database
