"""The stream of changes when the event loop loses sight of it."""

from __future__ import annotations

import asyncio
import os

import psutil
import psycopg
from realtime.types import PostgresChangesPayload

from support.waiting import until

from ..clients.test_supabase_py import ALL, client_of, subscribed
from ..clients.world import fresh_database, serving

STREAM = """
select client_port from pg_stat_activity
where backend_type = 'walsender' and datname = current_database()
"""


async def test_a_forgotten_socket_is_looked_at_again() -> None:
    """As when libpq closes a socket while it sends, or its number is another connection's."""
    loop = asyncio.get_running_loop()
    with fresh_database(os.environ["VINTNER_TEST_ADMIN_DSN"]) as dsn:
        async with serving(dsn) as world, client_of(world) as client:
            heard: list[PostgresChangesPayload] = []
            await subscribed(
                client.channel("ticks").on_postgres_changes(
                    ALL, heard.append, schema="public", table="ticks"
                ),
                changes=True,
            )
            await asyncio.sleep(0.1)
            with psycopg.connect(dsn) as admin:
                (port,) = admin.execute(STREAM).fetchone() or ()
            for each in psutil.Process(os.getpid()).net_connections("tcp4"):
                if each.laddr.port == port and each.raddr:
                    assert loop.remove_reader(each.fd)
            world.sql("insert into public.ticks values (1, 'unseen')")
            await until(lambda: len(heard) == 1, 20)


async def test_a_change_that_cannot_be_judged_keeps_no_others_back() -> None:
    """Its table's key is generated, and so not in the stream."""
    with fresh_database(os.environ["VINTNER_TEST_ADMIN_DSN"]) as dsn:
        async with serving(dsn) as world, client_of(world) as client:
            world.sql(
                "create table public.odd"
                " (n bigint, id bigint generated always as (n + 1) stored primary key)",
                "alter table public.odd enable row level security",
                "create policy everyone on public.odd for select using (true)",
                "alter publication supabase_realtime add table public.odd",
                "grant select on public.odd to anon",
            )
            heard: list[PostgresChangesPayload] = []
            channel = client.channel("both")
            for table in ("odd", "ticks"):
                channel.on_postgres_changes(ALL, heard.append, schema="public", table=table)
            await subscribed(channel, changes=True)
            for number in (1, 2):
                world.sql(
                    f"with odd as (insert into public.odd values ({number}))"
                    f" insert into public.ticks values ({number}, 'seen')"
                )

            await until(lambda: len(heard) == 2, 20)
            assert {each["data"]["table"] for each in heard} == {"ticks"}
