"""Following a log over the real Realtime: nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from uuid import uuid4

import pytest

from support.following import Reader, Writer
from support.proxy import Proxy
from support.waiting import until
from vintner_client import AsyncVintner, LiveState, _retries, errors
from vintner_client._live import logs, subscriptions
from vintner_client.models import JobStatus


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


async def test_who_reads_slowly_loses_nothing(
    far: AsyncVintner, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_WAITING", 3)
    seqs = []
    await writer.write()
    async with aclosing(far.jobs.follow_logs(writer.job.id)) as chunks:
        async for chunk in chunks:
            seqs.append(chunk.seq)
            if chunk.seq in (1, 20, 40):
                await until(lambda: far.live.state is LiveState.LIVE)
                for _ in range(20):
                    await writer.write()
            elif chunk.seq == 61:
                await writer.end()
    assert seqs == list(range(1, 62))


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
    monkeypatch.setattr(_retries, "PATIENCE", 1.0)
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
    await far.auth.access_token(fresh=True)
    for _ in range(5):
        await writer.write()
        await asyncio.sleep(0.5)
    await writer.end()

    assert await reader.finish() == list(range(1, 7))
    assert far.auth.session is not None
    # tokens of one second are equal; a refresh token is used once
    assert far.auth.session.refresh_token != before.refresh_token
    assert proxy.live_opened == 1


@pytest.mark.parametrize("leave", ["break", "cancel", "cancel again", "close the client"])
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
        await until(lambda: far.live.state is LiveState.LIVE)
        if leave == "cancel":
            reader.task.cancel()
        elif leave == "cancel again":
            # the second finds it at putting away
            for _ in range(4):
                reader.task.cancel()
                await asyncio.sleep(0)
        else:
            await far.close()
        await asyncio.wait([reader.task])
        if leave == "close the client":
            assert isinstance(reader.task.exception(), errors.ClientClosed)

    await until(lambda: proxy.live_connections == 0, 15)
    opened = proxy.live_opened
    await asyncio.sleep(1)
    assert proxy.live_opened == opened
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not names & {"vintner-live", "vintner-channel"}


async def test_another_users_log_is_not_found(bob: AsyncVintner, writer: Writer) -> None:
    with pytest.raises(errors.NotFound):
        await Reader(bob, writer.job).finish(5)
    with pytest.raises(errors.NotFound):
        await anext(bob.jobs.follow_logs(uuid4()))
