"""Following a log where Realtime does not broadcast it: by changes of the table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from support.following import Reader, Writer
from support.unheard import refused, silent
from support.waiting import until
from vintner_client import AsyncVintner, LiveState
from vintner_client._live import logs
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture(params=[refused, silent])
def unheard(
    request: pytest.FixtureRequest, supabase_stack: SupabaseStack, writer: Writer
) -> Iterator[None]:
    """The job's channel cannot be joined, or nothing comes on it."""
    with request.param(supabase_stack, writer.job):
        yield


def joined(client: AsyncVintner) -> dict[str | None, set[str]]:
    """What a client is subscribed to: the tables by topic."""
    channels = client.live._subscriptions._channels
    return {topic: {watch.table for watch in watches} for topic, watches in channels}


async def is_live(client: AsyncVintner) -> None:
    """Waits until all is heard."""
    await until(lambda: client.live.state is LiveState.LIVE)


async def test_a_chunk_comes_in_one_message(far: AsyncVintner, writer: Writer) -> None:
    reader = Reader(far, writer.job)
    await is_live(far)
    for _ in range(3):
        await writer.write(3)
        await reader.has(writer.seq)
    assert joined(far) == {f"job:{writer.job.id}": {"provision_jobs"}}
    await writer.end()
    assert await reader.finish() == list(range(1, 10))


@pytest.mark.usefixtures("unheard")
async def test_what_is_not_broadcast_is_heard_from_the_table(
    far: AsyncVintner, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "REFETCH_INTERVAL", 1.0)
    await writer.write(3)
    reader = Reader(far, writer.job)
    await reader.has(3)
    await is_live(far)
    while joined(far) != {None: {"provision_jobs", "provision_job_logs"}}:
        await writer.write(2)
        await asyncio.sleep(3)
    await is_live(far)
    # so long that only Realtime can bring the rest
    monkeypatch.setattr(logs, "REFETCH_INTERVAL", 600.0)
    await writer.write()
    await reader.has(writer.seq, 30)
    for _ in range(3):
        await writer.write(2)
        await reader.has(writer.seq, 30)
    await writer.end()

    assert await reader.finish(30) == list(range(1, writer.seq + 1))


async def test_a_pause_in_the_log_is_no_silence(
    far: AsyncVintner, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "REFETCH_INTERVAL", 1.0)
    await writer.write(5)
    reader = Reader(far, writer.job)
    for _ in range(3):
        await writer.write()
        await reader.has(writer.seq)
        assert None not in joined(far)

        await asyncio.sleep(2.5)
    await writer.end()

    assert await reader.finish() == list(range(1, 9))


async def test_what_another_version_broadcasts_is_fetched(
    far: AsyncVintner,
    writer: Writer,
    supabase_stack: SupabaseStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "REFETCH_INTERVAL", 600.0)
    reader = Reader(far, writer.job)
    await is_live(far)
    topic = f"job:{writer.job.id}"
    with psycopg.connect(supabase_stack.admin_db_url, autocommit=True) as database:
        for payload in ('{"chunks": [{"text": "x"}]}', '{"chunks": 5}', '{"chunks": [5]}', "{}"):
            database.execute("select realtime.send(%s, 'log', %s, true)", [payload, topic])
        database.execute("select realtime.send('{}', 'another', %s, true)", [topic])
    await writer.write(2)
    await reader.has(2)
    await writer.end()

    assert await reader.finish() == [1, 2]
