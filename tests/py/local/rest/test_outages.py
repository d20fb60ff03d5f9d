"""What is answered while the database is not as it should be, and that it passes."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from psycopg import conninfo

from vintner_local.keys import Keys

from .conftest import Api, ContractDatabase, api_settings, serve

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Wire:
    """A TCP connection to PostgreSQL that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._open |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_a_lost_database_answers_503_and_comes_back(seeded: ContractDatabase) -> None:
    target = conninfo.conninfo_to_dict(seeded.rest_dsn)
    wire = Wire(str(target["host"]), int(str(target["port"])))
    await wire.mend()
    dsn = conninfo.make_conninfo(seeded.rest_dsn, host="127.0.0.1", port=wire.port)
    settings = api_settings(seeded, Keys.generate(), rest_dsn=dsn)
    async for api in serve(settings):
        assert (await api.ask("GET", "/labels")).status == 200
        await wire.cut()
        async with asyncio.timeout(20):
            lost = [await api.ask("GET", "/labels") for _ in range(3)]
        assert {answer.status for answer in lost} == {503}
        assert {json.loads(answer.body)["code"] for answer in lost} <= {"PGRST000", "PGRST001"}
        await wire.mend()
        await _until_served(api, "/labels")
        again = [await api.ask("GET", "/labels") for _ in range(5)]
        assert {answer.status for answer in again} == {200}
        await wire.cut()


async def test_ended_sessions_are_replaced(api: Api, seeded: ContractDatabase) -> None:
    await asyncio.gather(*(api.ask("GET", "/labels") for _ in range(8)))
    seeded.run(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'postgrest' and datname = current_database()"
    )
    await _until_served(api, "/labels")
    answers = await asyncio.gather(*(api.ask("GET", "/labels") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}


async def test_a_missing_schema_is_waited_for(seeded: ContractDatabase) -> None:
    seeded.run("drop schema if exists later cascade")
    settings = api_settings(seeded, Keys.generate(), schemas=("public", "later"))
    async for api in serve(settings):
        answer = await api.ask("GET", "/labels")
        assert (answer.status, json.loads(answer.body)["code"]) == (503, "PGRST002")
        seeded.run("create schema later")
        assert (await api.ask("GET", "/labels")).status == 200
    seeded.run("drop schema later")


async def _until_served(api: Api, path: str) -> None:
    for _ in range(200):
        if (await api.ask("GET", path)).status == 200:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(path)
