"""A folder of functions, and the API in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from vintner_local import functions
from vintner_local.install import install
from vintner_local.keys import Keys
from vintner_local.settings import ApiSettings, FunctionsSettings

MOUNTED_AT = "/functions/v1"
DB_URL = "postgresql://postgres@127.0.0.1:1/postgres"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Functions:
    """A project's functions behind the API."""

    folder: Path
    log: Path
    keys: Keys
    server: TestServer
    session: aiohttp.ClientSession

    def write(self, file: str, text: str) -> None:
        """Writes a file of the functions, such as `hello/index.ts`."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    async def call(
        self,
        path: str,
        method: str = "POST",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        key: str | None = "publishable",
    ) -> Answer:
        """Calls a function with one of the keys, or without."""
        sent = {**({"apikey": getattr(self.keys, key)} if key else {}), **(headers or {})}
        url = self.server.make_url(f"{MOUNTED_AT}/{path}")
        async with self.session.request(method, url, data=body, headers=sent) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, found, await answer.read())

    def processes(self) -> dict[str, psutil.Process]:
        """The Deno process of each function that runs."""
        found = {}
        for process in psutil.Process().children(recursive=True):
            try:
                line = process.cmdline()
            except psutil.Error:
                continue  # ended meanwhile
            if len(line) > 1 and line[1] == "run" and line[-1].startswith(self.folder.as_uri()):
                found[line[-1].split("/")[-2]] = process
        return found


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def deployed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Functions]:
    """Functions in a folder whose path holds a space."""
    folder = tmp_path_factory.mktemp("functions") / "a project"
    folder.mkdir()
    keys = Keys.generate()
    settings = FunctionsSettings(
        folder=folder / "functions",
        deno=install(print).deno,
        cache=folder / "deno",
        log=folder / "functions.log",
        db_url=DB_URL,
        unverified=("open",),
    )
    app = web.Application()
    api = ApiSettings(
        public_url="http://127.0.0.1:54321",
        rest_dsn="",
        auth_dsn="",
        realtime_dsn="",
        keys=keys,
        functions=settings,
    )
    app.add_subapp(MOUNTED_AT, functions.create_app(api))
    server = TestServer(app)
    async with server, aiohttp.ClientSession(auto_decompress=False) as session:
        found = Functions(settings.folder, settings.log, keys, server, session)
        yield found
        await server.close()
        assert not found.processes(), "every process ends with the API"
