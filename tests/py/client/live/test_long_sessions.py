"""Followers for whom time passes: tokens end, connections are made anew, the machine sleeps."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from statistics import median
from typing import Protocol

import pytest

from support.api_server import ApiServer, api_server
from support.follower import Follower, Holdings, follower
from support.following import Writer
from support.proxy import Proxy, proxy_to
from support.waiting import until
from vintner_client import AsyncVintner
from vintner_local.pytest_plugin import SupabaseStack

TOKEN_SECONDS = 5
RENEWALS_OF_A_DAY = 25
"""Tokens hold for an hour, and are renewed a minute ahead."""
PATIENCE = 60
GRAIN = 4 * 2**20
"""Bytes: Python takes memory of the system by the MiB."""


class Start(Protocol):
    """Starts a follower."""

    def __call__(self, *, is_sync: bool) -> AbstractAsyncContextManager[Follower]: ...


both_clients = pytest.mark.parametrize("is_sync", [False, True], ids=["async", "sync"])


@pytest.fixture
async def server(supabase_stack: SupabaseStack) -> AsyncIterator[ApiServer]:
    """A server whose tokens hold for seconds."""
    async with api_server(supabase_stack, jwt_expiry=TOKEN_SECONDS) as server:
        yield server


@pytest.fixture
async def proxy(server: ApiServer) -> AsyncIterator[Proxy]:
    """The way to that server."""
    async with proxy_to(server.url) as proxy:
        yield proxy


@pytest.fixture
def start(ann: AsyncVintner, server: ApiServer, proxy: Proxy, writer: Writer) -> Start:
    """Starts a follower of the writer's job behind the proxy."""
    assert ann.auth.session is not None
    email = ann.auth.session.email
    assert email is not None
    return partial(follower, url=proxy.url, key=server.key, email=email, job=writer.job)


def assert_flat(held: Sequence[Holdings], bytes_each: int) -> None:
    """Checks that the last third holds no more than the second; the first is for warming up.

    Args:
        held: what a process held at moments between which the same happened.
        bytes_each: how much memory each such moment may cost.
    """
    third = len(held) // 3
    before, after = held[third : 2 * third], held[-third:]
    print(before[0], after[-1], sep="\n")
    for name in ("tasks", "threads", "files", "sockets"):
        # some come and go at any moment; those that stay behind are in every look
        assert min(each(after, name)) <= median(each(before, name)), name
    for name, grain in (("traced", 0), ("resident", GRAIN)):
        grown = median(each(after, name)) - median(each(before, name))
        assert grown <= third * bytes_each + grain, name


def each(held: Sequence[Holdings], name: str) -> list[int]:
    return [getattr(moment, name) for moment in held]


async def pass_a_session(
    start: Start, proxy: Proxy, writer: Writer, *, is_sync: bool, renewals: int
) -> Sequence[Holdings]:
    """Follows a log that grows all the time, until the session has been renewed often."""
    held = []
    async with start(is_sync=is_sync) as follower:
        while not follower.said or follower.said[-1]["renewals"] < renewals:
            await writer.write()
            await follower.has(writer.seq)
            held.append(follower.holdings())
            await asyncio.sleep(0.1)
        await writer.end()
        assert await follower.text() == writer.text
    # a socket that was not told of new tokens would end with each
    assert proxy.live_opened <= renewals
    return held


async def test_a_session_outlives_its_tokens(start: Start, proxy: Proxy, writer: Writer) -> None:
    await pass_a_session(start, proxy, writer, is_sync=False, renewals=2)


@pytest.mark.soak
@pytest.mark.timeout(900)
@both_clients
async def test_a_session_lasts_for_a_day(
    start: Start, proxy: Proxy, writer: Writer, is_sync: bool
) -> None:
    held = await pass_a_session(start, proxy, writer, is_sync=is_sync, renewals=RENEWALS_OF_A_DAY)
    assert_flat(held, bytes_each=500)


def has_opened(proxy: Proxy, count: int) -> bool:
    return proxy.live_opened >= count


async def reconnect(
    start: Start, proxy: Proxy, writer: Writer, *, is_sync: bool, times: int, bytes_each: int
) -> None:
    """Follows a log while the connection to Realtime breaks again and again."""
    held = []
    async with start(is_sync=is_sync) as follower:
        await until(lambda: proxy.live_connections == 1, PATIENCE)
        for _ in range(times):
            opened = proxy.live_opened
            proxy.cut(only_live=True)
            await writer.write()
            await follower.has(writer.seq, PATIENCE)
            await until(partial(has_opened, proxy, opened + 1), PATIENCE)
            held.append(follower.holdings())
        await writer.end()
        assert await follower.text() == writer.text
    assert_flat(held, bytes_each)


@both_clients
async def test_reconnecting_leaves_nothing_behind(
    start: Start, proxy: Proxy, writer: Writer, is_sync: bool
) -> None:
    await reconnect(start, proxy, writer, is_sync=is_sync, times=18, bytes_each=20_000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@both_clients
async def test_a_thousand_reconnects_leave_nothing_behind(
    start: Start, proxy: Proxy, writer: Writer, is_sync: bool
) -> None:
    await reconnect(start, proxy, writer, is_sync=is_sync, times=1000, bytes_each=200)


async def sleep_and_wake(start: Start, writer: Writer, *, is_sync: bool, seconds: float) -> None:
    """Stops the follower's process for a while, as a laptop does that is closed."""
    async with start(is_sync=is_sync) as follower:
        await writer.write(3)
        await follower.has(3)
        follower.process.send_signal(signal.SIGSTOP)
        await writer.write(10)
        await asyncio.sleep(seconds)
        await writer.write(10)
        follower.process.send_signal(signal.SIGCONT)
        await follower.has(writer.seq)
        await writer.write()
        await follower.has(writer.seq)
        await writer.end()
        assert await follower.text() == writer.text


@both_clients
async def test_a_machine_wakes_up_after_its_token_has_ended(
    start: Start, writer: Writer, is_sync: bool
) -> None:
    await sleep_and_wake(start, writer, is_sync=is_sync, seconds=TOKEN_SECONDS + 1)


@pytest.mark.soak
@pytest.mark.timeout(300)
@both_clients
async def test_a_machine_wakes_up_after_the_server_has_given_it_up(
    start: Start, writer: Writer, is_sync: bool
) -> None:
    await sleep_and_wake(start, writer, is_sync=is_sync, seconds=70)


async def restart(
    start: Start, server: ApiServer, proxy: Proxy, writer: Writer, *, seconds: float
) -> None:
    """Kills the server that is followed, for a while."""
    async with start(is_sync=False) as follower:
        await writer.write()
        await follower.has(1)
        for _ in range(2):
            proxy.refuse_all = True
            await server.kill()
            await writer.write(10)
            await asyncio.sleep(seconds)
            await server.start()
            proxy.refuse_all = False
            await writer.write(10)
            await follower.has(writer.seq, PATIENCE)
        await writer.end()
        assert await follower.text() == writer.text


async def test_a_server_is_restarted(
    start: Start, server: ApiServer, proxy: Proxy, writer: Writer
) -> None:
    await restart(start, server, proxy, writer, seconds=0)


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_a_server_is_gone_for_twenty_seconds(
    start: Start, server: ApiServer, proxy: Proxy, writer: Writer
) -> None:
    await restart(start, server, proxy, writer, seconds=20)


@pytest.mark.soak
async def test_a_dead_connection_is_seen_within_a_minute(
    start: Start, proxy: Proxy, writer: Writer
) -> None:
    async with start(is_sync=False) as follower:
        await writer.write()
        await follower.has(1)
        await until(lambda: proxy.live_connections == 1)
        await asyncio.sleep(5)
        for connection in proxy.connections:
            if connection.is_live:
                connection.blackhole()
        await until(lambda: proxy.live_opened == 2, 60)
        await writer.end()
        assert await follower.text() == writer.text
