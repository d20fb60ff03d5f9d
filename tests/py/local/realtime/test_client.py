"""The `realtime` package of supabase-py as a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from realtime import AsyncRealtimeClient, RealtimePostgresChangesListenEvent
from realtime.types import BroadcastPayload, PostgresChangesPayload, RealtimeChannelOptions

from support.waiting import until

from .conftest import Server, StartServer
from .outage import database_line
from .phoenix import PATIENCE, A, B, user_token

PRIVATE: RealtimeChannelOptions = {"config": {"private": True, "broadcast": None, "presence": None}}
ALL = RealtimePostgresChangesListenEvent.All


class Heard:
    """What one subscriber heard."""

    def __init__(self) -> None:
        self.rows: list[PostgresChangesPayload] = []
        self.systems: list[str] = []
        self.states: list[str] = []
        self.broadcasts: list[BroadcastPayload] = []

    async def subscribed(self, times: int = 1) -> None:
        await until(lambda: self.systems.count("Subscribed to PostgreSQL") >= times)

    async def kinds(self, count: int) -> list[str]:
        await until(lambda: len(self.rows) >= count)
        return [(row["data"]["record"] or {})["kind"] for row in self.rows]


@asynccontextmanager
async def client(server: Server, token: str | None = None) -> AsyncIterator[AsyncRealtimeClient]:
    opened = AsyncRealtimeClient(server.url, server.keys.publishable, initial_backoff=0.1)
    await opened.connect()
    if token:
        await opened.set_auth(token)
    try:
        yield opened
    finally:
        await opened.close()


async def listen(opened: AsyncRealtimeClient, table: str, row_filter: str | None = None) -> Heard:
    heard = Heard()
    channel = opened.channel(f"rows-{table}")
    channel.on_postgres_changes(
        ALL, heard.rows.append, table=table, schema="public", filter=row_filter
    )
    channel.on_system(lambda payload: heard.systems.append(payload.message))
    await channel.subscribe(lambda state, _: heard.states.append(state.value))
    await heard.subscribed()
    return heard


def insert(number: int, user: str, kind: str) -> str:
    return f"insert into job_events (id, user_id, kind, n) values ({number}, '{user}', '{kind}', 1)"


async def test_each_user_hears_of_own_rows_that_match_the_filter(server: Server) -> None:
    async with (
        client(server, user_token(server, A)) as a,
        client(server, user_token(server, B)) as b,
    ):
        heard_a = await listen(a, "job_events", "kind=in.(wanted,also)")
        heard_b = await listen(b, "job_events")
        server.sql(
            insert(1, A, "wanted"),
            insert(2, A, "unwanted"),
            insert(3, B, "wanted"),
            insert(4, A, "also"),
            insert(5, B, "last"),
        )
        assert await heard_a.kinds(2) == ["wanted", "also"]
        assert await heard_b.kinds(2) == ["wanted", "last"]


async def test_a_new_token_changes_who_listens(server: Server) -> None:
    async with client(server, user_token(server, A)) as opened:
        heard = await listen(opened, "job_events")
        await opened.set_auth(user_token(server, B))
        await heard.subscribed(2)
        server.sql(insert(1, A, "a"), insert(2, B, "b"))
        assert await heard.kinds(1) == ["b"]


async def test_private_broadcast_from_the_database(server: Server) -> None:
    server.sql(
        "create policy hear on realtime.messages for select to authenticated"
        f" using (realtime.topic() = 'job:1' and auth.uid() = '{A}')"
    )
    try:
        async with client(server, user_token(server, A)) as opened:
            heard = Heard()
            channel = opened.channel("job:1", PRIVATE)
            channel.on_broadcast("logs", heard.broadcasts.append)
            joined = asyncio.Event()
            await channel.subscribe(lambda *_: joined.set())
            await asyncio.wait_for(joined.wait(), PATIENCE)
            server.sql(
                "select realtime.send('{\"seq\": 1}', 'logs', 'job:1')",
                "select realtime.send('{\"seq\": 2}', 'logs', 'job:2')",
                "select realtime.send('{\"seq\": 3}', 'logs', 'job:1', false)",
                "select realtime.send('{\"seq\": 4}', 'logs', 'job:1')",
            )
            await until(lambda: len(heard.broadcasts) == 2)
            assert [message["payload"]["seq"] for message in heard.broadcasts] == [1, 4]
            sent = heard.broadcasts[0]
            assert sent["payload"]["id"] == sent["meta"]["id"]
    finally:
        server.sql("drop policy hear on realtime.messages")


async def test_channels_outlive_a_restart_of_the_database(
    start_server: StartServer, realtime_dsn: str
) -> None:
    async with database_line(realtime_dsn) as line:
        server = await start_server(dsn=line.dsn)
        async with client(server, user_token(server)) as opened:
            heard = await listen(opened, "job_events")
            server.sql(insert(1, A, "before"))
            assert await heard.kinds(1) == ["before"]
            await line.cut()
            server.sql(insert(2, A, "lost"))
            await line.restore()
            late = await listen(opened, "open_default")
            server.sql(insert(3, A, "after"))
            assert await heard.kinds(2) == ["before", "after"]
            assert heard.states == ["SUBSCRIBED"]
            assert not late.rows


async def test_a_lost_slot_is_replaced(server: Server) -> None:
    async with client(server, user_token(server)) as opened:
        heard = await listen(opened, "job_events")
        server.sql(
            "select pg_terminate_backend(active_pid) from pg_replication_slots"
            " where database = current_database()"
        )
        await asyncio.sleep(1.0)
        server.sql(insert(1, A, "after"))
        assert await heard.kinds(1) == ["after"]
        assert heard.systems == ["Subscribed to PostgreSQL"]


async def test_a_client_connects_again_after_the_server_restarts(
    start_server: StartServer,
) -> None:
    server = await start_server()
    async with client(server, user_token(server)) as opened:
        heard = await listen(opened, "job_events")
        await server.runner.cleanup()
        await until(lambda: "CHANNEL_ERROR" in heard.states)
        again = await start_server(
            port=int(server.url.split(":")[2].split("/")[0]), keys=server.keys
        )
        await heard.subscribed(2)
        again.sql(insert(1, A, "after"))
        assert await heard.kinds(1) == ["after"]
