"""The one socket of a client: shared, healed, watched, and honest about itself."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from support._async.people import plant, sign_up
from support.following import Reader, Writer
from support.proxy import Proxy
from support.waiting import until
from vintner_client import AsyncVintner, LiveState, VintnerError, errors
from vintner_client._live import channel, connection, socket, subscriptions
from vintner_client._live.changes import Change, Signal, Watch
from vintner_client._live.subscriptions import Subscription
from vintner_client._retries import FIRST_PAUSE
from vintner_client.models import Vine
from vintner_local.pytest_plugin import SupabaseStack

States = list[tuple[LiveState, VintnerError | None]]

ANYTHING = Watch("*", "vines")


def watch_states(client: AsyncVintner) -> States:
    """Keeps each state that the client tells."""
    states: States = []
    client.live.on_state_change(lambda state, error: states.append((state, error)))
    return states


async def is_live(client: AsyncVintner) -> None:
    """Waits until all is heard."""
    await until(lambda: client.live.state is LiveState.LIVE)


async def next_signal(subscription: Subscription) -> Signal:
    """Waits for a signal."""
    while True:
        news = await subscription.next(30)
        assert news is not None
        if isinstance(news, Signal):
            return news


async def rename(client: AsyncVintner, vine: Vine) -> str:
    """Changes a vine, which Realtime tells its watchers."""
    name = f"renamed-{uuid4().hex[:8]}"
    await client.table("vines").update({"project_name": name}).eq("id", str(vine.id)).execute()
    return name


async def hears(subscription: Subscription, name: str) -> None:
    """Waits for a vine's new name."""
    while True:
        news = await subscription.next(30)
        assert news is not None
        if isinstance(news, Change) and news.record and news.record["project_name"] == name:
            return


async def hears_line(subscription: Subscription, seq: int) -> None:
    """Waits for a chunk of a log."""
    while True:
        news = await subscription.next(30)
        assert news is not None
        if isinstance(news, Change) and news.record and news.record["seq"] == seq:
            return


async def test_all_subscriptions_share_one_socket(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    vine = await plant(far)
    first, second = Reader(far, writer.job), Reader(far, writer.job)
    async with far.live._subscriptions.subscribe(ANYTHING) as vines:
        await writer.write()
        await first.has(1)
        await second.has(1)
        await is_live(far)
        await hears(vines, await rename(far, vine))
        # who leaves takes nothing from the others, not even from who follows the same
        first.task.cancel()
        await asyncio.wait([first.task])
        await writer.write(2)
        await second.has(3)
        await hears(vines, await rename(far, vine))
        await writer.end()
        assert await second.finish() == [1, 2, 3]
        await hears(vines, await rename(far, vine))
        assert (proxy.live_opened, proxy.live_connections) == (1, 1)
    await until(lambda: proxy.live_connections == 0)
    assert far.live.state is LiveState.CLOSED


async def test_the_state_is_told_as_it_changes(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    states = watch_states(far)
    assert far.live.state is LiveState.CLOSED
    async with aclosing(far.jobs.follow_logs(writer.job.id)) as chunks:
        await writer.write()
        await anext(chunks)
        await is_live(far)
        assert far.live.error is None
        proxy.cut(only_live=True)
        await until(lambda: far.live.state is LiveState.HEALING)
        assert isinstance(far.live.error, errors.ConnectionFailed)
        await is_live(far)
    assert (far.live.state, far.live.error) == (LiveState.CLOSED, None)
    seen = [state for state, _ in states]
    without_repeats = [a for a, b in zip(seen, [None, *seen], strict=False) if a is not b]
    assert without_repeats == [
        LiveState.CONNECTING,
        LiveState.LIVE,
        LiveState.HEALING,
        LiveState.LIVE,
        LiveState.CLOSED,
    ]


async def test_a_callback_that_fails_or_has_ended_harms_nobody(
    far: AsyncVintner, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    left: States = []

    def fail(state: LiveState, error: VintnerError | None) -> None:
        raise ValueError(state)

    far.live.on_state_change(fail)
    leave = far.live.on_state_change(lambda state, error: left.append((state, error)))
    states = watch_states(far)
    leave()
    async with far.live._subscriptions.subscribe(ANYTHING):
        await is_live(far)
    assert states[-1] == (LiveState.CLOSED, None)
    assert left == []
    assert "ValueError" in caplog.text


async def test_what_cannot_be_mended_is_said_and_still_tried(
    far: AsyncVintner,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(channel, "PATIENCE", 1.0)
    proxy.refuse_live = True
    async with far.live._subscriptions.subscribe(ANYTHING):
        await until(lambda: far.live.state is LiveState.DOWN)
        assert isinstance(far.live.error, errors.ConnectionFailed)
        told = [record.getMessage() for record in caplog.records if record.name.startswith("vint")]
        assert len(told) == 1
        assert str(far.live.error) in told[0]
        proxy.refuse_live = False
        await is_live(far)
        assert far.live.error is None


async def test_a_dead_connection_is_seen_and_replaced(
    far: AsyncVintner, proxy: Proxy, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    worst = (
        connection.HEARTBEAT_INTERVAL
        + socket.HEARTBEAT_TIMEOUT
        + socket.CLOSE_TIMEOUT
        + FIRST_PAUSE
    )
    assert worst < 60
    monkeypatch.setattr(connection, "HEARTBEAT_INTERVAL", 1.0)
    monkeypatch.setattr(socket, "HEARTBEAT_TIMEOUT", 2.0)
    reader = Reader(far, writer.job)
    await is_live(far)
    (dead,) = [each for each in proxy.connections if each.is_live]
    dead.blackhole()
    await until(lambda: far.live.state is LiveState.HEALING)
    assert "does not answer" in str(far.live.error)
    await is_live(far)
    assert proxy.live_opened == 2
    await writer.write(3)
    await writer.end()
    assert await reader.finish() == [1, 2, 3]
    dead.cut()


async def test_a_quiet_connection_lives_on(
    far: AsyncVintner, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEARTBEAT_INTERVAL", 0.2)
    vine = await plant(far)
    async with far.live._subscriptions.subscribe(ANYTHING) as vines:
        await is_live(far)
        states = watch_states(far)
        await asyncio.sleep(3)
        await hears(vines, await rename(far, vine))
        assert states == []
    assert proxy.live_opened == 1


async def test_a_process_that_slept_connects_anew(
    far: AsyncVintner, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEARTBEAT_INTERVAL", 1.0)
    monkeypatch.setattr(connection, "SLEPT", 1.0)
    async with far.live._subscriptions.subscribe(ANYTHING) as vines:
        assert await next_signal(vines) is Signal.RESYNC

        time.sleep(4)  # noqa: ASYNC251 so that nothing goes on
        assert await next_signal(vines) is Signal.RESYNC
    assert proxy.live_opened == 2


async def test_a_refused_topic_is_told_and_tried_seldom(
    bob: AsyncVintner, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert channel.REFUSED_PAUSE >= 60
    monkeypatch.setattr(channel, "REFUSED_PAUSE", 1.0)
    topic = f"job:{writer.job.id}"
    async with bob.live._subscriptions.subscribe(ANYTHING, topic=topic) as refused:
        assert await next_signal(refused) is Signal.REFUSED
        assert bob.live.state is LiveState.DOWN
        assert isinstance(bob.live.error, errors.NotAllowed)
        async with bob.live._subscriptions.subscribe(ANYTHING, topic=topic) as another:
            assert await another.next(0) is Signal.REFUSED
        assert await next_signal(refused) is Signal.REFUSED
        # others on the same socket are heard
        vine = await plant(bob)
        async with bob.live._subscriptions.subscribe(ANYTHING) as vines:
            assert await next_signal(vines) is Signal.RESYNC
            await hears(vines, await rename(bob, vine))


async def test_a_table_that_is_not_published_is_told(far: AsyncVintner) -> None:
    async with far.live._subscriptions.subscribe(Watch("*", "accounts")) as refused:
        assert await next_signal(refused) is Signal.REFUSED
        assert isinstance(far.live.error, errors.SchemaMissing)


async def test_one_channel_too_many_waits_for_another_to_leave(far: AsyncVintner) -> None:
    """A server takes 100 on a socket."""
    watches = [Watch("*", "vines", f"id=eq.{uuid4()}") for _ in range(101)]
    async with AsyncExitStack() as others:
        for watch in watches[:100]:
            await others.enter_async_context(far.live._subscriptions.subscribe(watch))
        await until(lambda: far.live.state is LiveState.LIVE, 60)
        async with far.live._subscriptions.subscribe(watches[100]) as last:
            await until(lambda: isinstance(far.live.error, errors.RateLimited))
            await others.aclose()
            assert await next_signal(last) is Signal.RESYNC
            assert far.live.state is LiveState.LIVE


async def test_a_refused_token_is_renewed(
    far: AsyncVintner, proxy: Proxy, supabase_stack: SupabaseStack
) -> None:
    """The server's clock is ahead: the token ends before this client expects it to."""
    session = far.auth.session
    assert session is not None
    claims = jwt.decode(session.access_token, options={"verify_signature": False})
    ends = datetime.now(UTC) + timedelta(seconds=5)
    soon = jwt.encode({**claims, "exp": ends}, supabase_stack.jwt_secret)
    far.auth._session = session.model_copy(update={"access_token": soon})
    vine = await plant(far)
    async with far.live._subscriptions.subscribe(ANYTHING) as vines:
        await is_live(far)
        assert far.auth.session is not None
        assert far.auth.session.access_token == soon
        await until(lambda: far.live.state is LiveState.HEALING)
        assert isinstance(far.live.error, errors.NotSignedIn)
        await is_live(far)
        await hears(vines, await rename(far, vine))
        assert far.auth.session.access_token != soon


async def test_the_socket_never_speaks_for_who_signed_out(far: AsyncVintner, proxy: Proxy) -> None:
    async with far.live._subscriptions.subscribe(ANYTHING) as first:
        await is_live(far)
        await sign_up(far)
        vine = await plant(far)
        async with far.live._subscriptions.subscribe(ANYTHING, ANYTHING) as second:
            assert await next_signal(second) is Signal.RESYNC
            name = await rename(far, vine)
            await hears(second, name)
            await hears(first, name)
    assert proxy.live_opened == 2


async def test_a_wrong_key_is_told(ann: AsyncVintner, supabase_stack: SupabaseStack) -> None:
    async with (
        AsyncVintner(url=supabase_stack.url, key="wrong", session=ann.auth.session) as client,
        client.live._subscriptions.subscribe(ANYTHING),
    ):
        await until(lambda: client.live.state is LiveState.DOWN)
        assert isinstance(client.live.error, errors.WrongKey)


async def test_nobody_signed_in_is_told(anyone: AsyncVintner) -> None:
    async with anyone.live._subscriptions.subscribe(ANYTHING):
        await until(lambda: isinstance(anyone.live.error, errors.NotSignedIn))
        await sign_up(anyone)
        await is_live(anyone)


async def test_news_for_who_reads_slowly_become_one_signal(
    far: AsyncVintner, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_WAITING", 10)
    watch = Watch("INSERT", "provision_job_logs", f"job_id=eq.{writer.job.id}")
    async with far.live._subscriptions.subscribe(watch) as lines:
        assert await next_signal(lines) is Signal.RESYNC
        async with far.live._subscriptions.subscribe(watch) as quick:
            assert await next_signal(quick) is Signal.RESYNC
            for _ in range(25):
                await writer.write()
                await hears_line(quick, writer.seq)
        waiting = []
        while (left := await lines.next(0)) is not None:
            waiting.append(left)
    assert waiting[0] is Signal.RESYNC
    seqs = [news.record["seq"] for news in waiting if isinstance(news, Change) and news.record]
    # what comes after the signal is whole
    assert seqs == list(range(26 - len(seqs), 26))
    assert 0 < len(seqs) < len(waiting) <= 10


async def test_a_closed_client_subscribes_to_nothing(far: AsyncVintner) -> None:
    async with far.live._subscriptions.subscribe(ANYTHING) as vines:
        await is_live(far)
        await far.close()
        assert far.live.state is LiveState.CLOSED
        # who still listens is told to ask, and is refused then
        assert await vines.next(0) is Signal.RESYNC
        assert await vines.next(0) is Signal.RESYNC
    with pytest.raises(errors.ClientClosed):
        await far.live._subscriptions.subscribe(ANYTHING).__aenter__()


async def test_a_topic_is_joined_anew_at_once(
    far: AsyncVintner, proxy: Proxy, writer: Writer
) -> None:
    """The server's last word on the channel before is not taken for one on the new."""
    topic = f"job:{writer.job.id}"
    async with far.live._subscriptions.subscribe(ANYTHING):
        await is_live(far)
        states = watch_states(far)
        for _ in range(10):
            async with far.live._subscriptions.subscribe(ANYTHING, topic=topic) as log:
                assert await next_signal(log) is Signal.RESYNC
        async with far.live._subscriptions.subscribe(ANYTHING, topic=topic) as log:
            assert await next_signal(log) is Signal.RESYNC
            await asyncio.sleep(1)
            assert await log.next(0) is None
    assert {state for state, _ in states} == {
        LiveState.CONNECTING,
        LiveState.LIVE,
        LiveState.CLOSED,
    }
    assert proxy.live_opened == 1
