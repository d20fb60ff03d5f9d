"""Following a log over the real Realtime: nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from support._async.people import PASSWORD, client_of, plant
from support.proxy import Proxy, proxy_to
from support.waiting import until
from vintner_client import AsyncVintner, errors
from vintner_client._live import logs
from vintner_client.models import Job, JobStatus, LogChunk, NewLogChunk, StreamType
from vintner_local.pytest_plugin import SupabaseStack


class Writer:
    """A Tendril that prints numbered lines."""

    def __init__(self, tendril: AsyncVintner, job: Job) -> None:
        self.lease = tendril.lease
        self.job = job
        self.seq = 0

    async def write(self, count: int = 1) -> None:
        """Appends so many chunks in one batch."""
        chunks = [
            NewLogChunk(seq=seq, log_chunk=f"line {seq}\n", stream_type=StreamType.STDOUT)
            for seq in range(self.seq + 1, self.seq + 1 + count)
        ]
        self.seq += count
        await self.lease.append_logs(self.job, chunks)

    async def end(self, status: JobStatus = JobStatus.SUCCESS) -> None:
        """Ends the job."""
        await self.lease.complete_job(self.job, status=status)


class Reader:
    """A task that follows a log and keeps what it gets."""

    def __init__(self, client: AsyncVintner, job: Job, from_seq: int = 0) -> None:
        self.chunks: list[LogChunk] = []
        self.task = asyncio.create_task(self._run(client, job, from_seq))

    async def _run(self, client: AsyncVintner, job: Job, from_seq: int) -> None:
        async with aclosing(client.jobs.follow_logs(job.id, from_seq=from_seq)) as chunks:
            async for chunk in chunks:
                self.chunks.append(chunk)

    async def has(self, count: int, seconds: float = 10) -> None:
        """Waits for so many chunks."""
        await until(lambda: len(self.chunks) >= count or self.task.done(), seconds)

    async def finish(self, seconds: float = 15) -> list[int]:
        """Waits for the end; gives the seqs in the order in which they came."""
        async with asyncio.timeout(seconds):
            await self.task
        assert all(chunk.log_chunk == f"line {chunk.seq}\n" for chunk in self.chunks)
        return [chunk.seq for chunk in self.chunks]


@pytest.fixture
async def writer(ann: AsyncVintner, tendril: AsyncVintner) -> Writer:
    vine = await plant(ann)
    await ann.vines.plan(vine.id)
    job = await tendril.lease.claim_next_job()
    assert job is not None
    await tendril.lease.start_job(job)
    return Writer(tendril, job)


@pytest.fixture
async def proxy(supabase_stack: SupabaseStack) -> AsyncIterator[Proxy]:
    async with proxy_to(supabase_stack.url) as proxy:
        yield proxy


@pytest.fixture
async def far(
    ann: AsyncVintner, proxy: Proxy, supabase_stack: SupabaseStack
) -> AsyncIterator[AsyncVintner]:
    """Ann, behind the proxy."""
    assert ann.auth.session is not None
    assert ann.auth.session.email is not None
    async with client_of(supabase_stack, url=proxy.url) as client:
        await client.auth.sign_in(email=ann.auth.session.email, password=PASSWORD)
        yield client


async def test_a_log_is_followed_live_to_its_end(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    await writer.write(3)
    reader = Reader(far, writer.job)
    await reader.has(3)
    await until(lambda: proxy.live_connections == 1)
    # the subscription stands once the first line that it carries has come quickly
    delays = []
    for _ in range(8):
        await asyncio.sleep(0.3)
        started = time.monotonic()
        await writer.write()
        await reader.has(writer.seq)
        delays.append(time.monotonic() - started)
    await writer.end()

    assert await reader.finish() == list(range(1, 12))
    assert sorted(delays)[4] < 1, "it is Realtime that brings the lines, not asking every 5 s"
    await until(lambda: proxy.live_connections == 0)


async def test_an_ended_log_is_read_without_waiting(ann: AsyncVintner, writer: Writer) -> None:
    await writer.write(5)
    await writer.end(JobStatus.FAILED)

    assert await Reader(ann, writer.job).finish(2) == [1, 2, 3, 4, 5]
    assert await Reader(ann, writer.job, from_seq=4).finish(2) == [4, 5]
    assert await Reader(ann, writer.job, from_seq=6).finish(2) == []


async def test_a_long_log_comes_whole(ann: AsyncVintner, writer: Writer) -> None:
    await writer.write(1500)
    reader = Reader(ann, writer.job)
    await reader.has(1500)
    await writer.write(1200)
    await writer.end()

    assert await reader.finish() == list(range(1, 2701))


async def test_lines_written_at_any_moment_come_once(ann: AsyncVintner, writer: Writer) -> None:
    reader = Reader(ann, writer.job)
    for _ in range(60):
        await writer.write(5)
        await asyncio.sleep(0.02)
    await writer.end()

    assert await reader.finish() == list(range(1, 301))


async def test_a_broken_connection_loses_nothing(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    reader = Reader(far, writer.job)
    for round_ in range(6):
        await writer.write(10)
        await asyncio.sleep(0.4)
        proxy.cut(only_live=round_ % 2 == 0)
    await reader.has(60)
    await writer.end()

    assert await reader.finish() == list(range(1, 61))
    assert proxy.live_opened > 1


async def test_it_follows_where_there_is_no_realtime(
    far: AsyncVintner, proxy: Proxy, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "REFETCH_INTERVAL", 1.0)
    proxy.refuse_live = True
    reader = Reader(far, writer.job)
    await writer.write(3)
    await reader.has(3)
    await writer.write(3)
    await reader.has(6)
    await writer.end()

    assert await reader.finish() == list(range(1, 7))


async def test_changes_that_are_dropped_without_a_word_are_fetched(
    far: AsyncVintner, proxy: Proxy, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "REFETCH_INTERVAL", 1.0)
    reader = Reader(far, writer.job)
    await writer.write()
    await reader.has(1)
    await until(lambda: proxy.live_connections == 1)
    await asyncio.sleep(1)
    proxy.mute_live = True
    await writer.write(3)
    await reader.has(4)
    await writer.end()

    assert await reader.finish() == [1, 2, 3, 4]


async def test_a_server_that_is_away_for_a_while_is_waited_for(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    reader = Reader(far, writer.job)
    await writer.write()
    await reader.has(1)
    proxy.refuse_all = True
    proxy.cut()
    await writer.write(2)
    await asyncio.sleep(3)
    assert not reader.task.done()
    proxy.refuse_all = False
    await reader.has(3)
    await writer.end()

    assert await reader.finish() == [1, 2, 3]


async def test_a_server_that_stays_away_ends_it(
    far: AsyncVintner, proxy: Proxy, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PATIENCE", 1.0)
    reader = Reader(far, writer.job)
    await writer.write()
    await reader.has(1)
    proxy.refuse_all = True
    proxy.cut()

    with pytest.raises(errors.ConnectionFailed):
        await reader.finish()


async def test_a_server_that_is_not_there_is_told_at_once(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    proxy.refuse_all = True
    proxy.cut()
    with pytest.raises(errors.ConnectionFailed):
        await Reader(far, writer.job).finish(5)


async def test_the_socket_outlives_a_renewed_token(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    reader = Reader(far, writer.job)
    await writer.write()
    await reader.has(1)
    await until(lambda: proxy.live_connections == 1)
    before = far.auth.session
    assert before is not None
    far.auth._session = before.model_copy(update={"expires_at": datetime.now(UTC)})
    await until(lambda: far.auth.session is not None and not far.auth.session.is_stale())
    for _ in range(5):
        await writer.write()
        await asyncio.sleep(0.5)
    await writer.end()

    assert await reader.finish() == list(range(1, 7))
    assert far.auth.session is not None
    # tokens of one second are equal; a refresh token is used once
    assert far.auth.session.refresh_token != before.refresh_token
    assert proxy.live_opened == 1


@pytest.mark.parametrize("leave", ["break", "cancel", "close the client"])
async def test_leaving_closes_the_socket(
    far: AsyncVintner, proxy: Proxy, writer: Writer, leave: str
) -> None:
    await writer.write()
    if leave == "break":
        async with aclosing(far.jobs.follow_logs(writer.job.id)) as chunks:
            async for _ in chunks:
                await until(lambda: proxy.live_connections == 1)
                break
    else:
        reader = Reader(far, writer.job)
        await until(lambda: proxy.live_connections == 1)
        if leave == "cancel":
            reader.task.cancel()
        else:
            await far.close()
        await asyncio.wait([reader.task])
        if leave != "cancel":
            assert isinstance(reader.task.exception(), errors.ClientClosed)

    await until(lambda: proxy.live_connections == 0, 15)
    opened = proxy.live_opened
    await asyncio.sleep(1)
    assert proxy.live_opened == opened
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "vintner-changes" not in names


async def test_another_users_log_is_not_found(bob: AsyncVintner, writer: Writer) -> None:
    with pytest.raises(errors.NotFound):
        await Reader(bob, writer.job).finish(5)
    with pytest.raises(errors.NotFound):
        await anext(bob.jobs.follow_logs(uuid4()))
