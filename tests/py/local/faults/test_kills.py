"""Parts of the stack are killed while programs write and listen."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import psycopg
import pytest
from realtime import RealtimePostgresChangesListenEvent
from realtime.types import PostgresChangesPayload
from supabase import AsyncClient, create_async_client

from support.waiting import until
from vintner_local.processes import ProcessRef
from vintner_local.stack import SUPERUSER

from ..stack.small_project import Project
from .writing import Writers, writing

PASSWORD = "correct horse battery"
OUTAGE_ANSWERS = {
    (503, "PGRST000"),
    (503, "PGRST001"),
    (503, "PGRST002"),
    (504, "PGRST003"),
    (503, "57P01"),
    (500, "57P02"),
    (503, "57P03"),
}
"""What PostgREST says while its database is away or goes away."""


@pytest.fixture
async def client(project: Project) -> AsyncIterator[AsyncClient]:
    state = project.state
    opened = await create_async_client(state.api_url, state.keys.publishable)
    try:
        email = f"{uuid4().hex}@example.com"
        await opened.auth.sign_up({"email": email, "password": PASSWORD})
        yield opened
    finally:
        await opened.realtime.close()
        await opened.auth.close()


def end(pid: int) -> None:
    """Kills a process without a word, and waits until it is gone."""
    process = ProcessRef.of(pid)
    assert process is not None
    assert process.end([(signal.SIGKILL, 5.0)])


def kill_part(name: str) -> Callable[[Project], None]:
    def kill(project: Project) -> None:
        end(project.running.parts[name].process.pid)

    return kill


def kill_backend(project: Project) -> None:
    """One that serves REST; PostgreSQL then ends all the others and recovers."""
    query = "select pid from pg_stat_activity where application_name = 'postgrest' limit 1"
    with psycopg.connect(project.state.db_url(SUPERUSER)) as connection:
        (pid,) = connection.execute(query).fetchone() or ()
    end(pid)


def kill_supervisor(project: Project) -> None:
    end(project.running.supervisor.pid)
    started = project.up()
    assert started.exit_code == 0, started.stderr


@pytest.mark.parametrize(
    "kill",
    [kill_part("api"), kill_part("postgres"), kill_backend, kill_supervisor],
    ids=["api", "postgres", "backend", "supervisor"],
)
async def test_nothing_acknowledged_is_lost(
    project: Project, client: AsyncClient, kill: Callable[[Project], None]
) -> None:
    session = await client.auth.get_session()
    assert session is not None
    heard = await listen(client)

    async with writing(project.state, session.access_token) as writers:
        await until(lambda: len(writers.acknowledged) > 20 and heard)
        await asyncio.to_thread(kill, project)
        known, begun = len(writers.acknowledged), len(heard)
        await until(lambda: len(writers.acknowledged) > known + 20, 30)
        await until(lambda: len(heard) > begun + 20, 30)

    assert set(writers.refusals) <= OUTAGE_ANSWERS
    assert_kept(project, writers)
    renewed = await client.auth.refresh_session()
    assert renewed.user is not None
    assert renewed.user.id == session.user.id
    mine = await client.table("written").select("number").limit(1).execute()
    assert len(mine.data) == 1


async def listen(client: AsyncClient) -> list[PostgresChangesPayload]:
    heard: list[PostgresChangesPayload] = []
    channel = client.channel("written").on_postgres_changes(
        RealtimePostgresChangesListenEvent.Insert, heard.append, schema="public", table="written"
    )
    await channel.subscribe()
    return heard


def assert_kept(project: Project, writers: Writers) -> None:
    with psycopg.connect(project.state.db_url(SUPERUSER)) as connection:
        rows = connection.execute("select writer::text, number from public.written").fetchall()
    kept = {(str(writer), int(number)) for writer, number in rows}
    assert writers.acknowledged <= kept
    written = {writer for writer, _ in writers.tried}
    assert {row for row in kept if row[0] in written} <= writers.tried
