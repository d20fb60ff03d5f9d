"""Followers of a job's log, in a process of their own: ours, and the realtime package as it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from realtime import AsyncRealtimeClient, RealtimePostgresChangesListenEvent
from realtime.types import RealtimeChannelOptions

from vintner_client import AsyncVintner, LiveState, Session

SILENCE = 10.0
"""Seconds after which no more is waited for."""
PRIVATE: RealtimeChannelOptions = {"config": {"private": True, "broadcast": None, "presence": None}}


@dataclass(frozen=True)
class Plan:
    """What a process of followers does.

    Attributes:
        url: of the project.
        key: its publishable key.
        session: who follows, as JSON.
        job_id: whose log.
        way: which of `WAYS`.
        followers: how many, each with a connection of its own.
        chunks: how many each waits for.
    """

    url: str
    key: str
    session: str
    job_id: UUID
    way: str
    followers: int
    chunks: int


Hear = Callable[[str], None]
Ready = Callable[[], None]


async def ours(plan: Plan, hear: Hear, ready: Ready) -> None:
    """Follows with our client, by whichever way the database lets it."""
    session = Session.model_validate_json(plan.session)
    async with AsyncVintner(url=plan.url, key=plan.key, session=session) as client:
        # refused the one way, it takes the other, and is live then
        client.live.on_state_change(lambda state, _: ready() if state is LiveState.LIVE else None)
        async for chunk in client.jobs.follow_logs(plan.job_id):
            hear(chunk.log_chunk)


async def raw(
    plan: Plan, listen: Callable[[AsyncRealtimeClient, Ready], Awaitable[None]], ready: Ready
) -> None:
    """Follows with the realtime package, until cancelled."""
    token = Session.model_validate_json(plan.session).access_token
    client = AsyncRealtimeClient(f"{plan.url}/realtime/v1", token=plan.key)
    await client.connect()
    try:
        await client.set_auth(token)
        await listen(client, ready)
        await asyncio.Event().wait()
    finally:
        await client.close()


async def raw_broadcast(plan: Plan, hear: Hear, ready: Ready) -> None:
    """Follows a job's private channel."""

    def heard(message: Any) -> None:
        for chunk in message["payload"]["chunks"]:
            hear(chunk["log_chunk"])

    async def listen(client: AsyncRealtimeClient, ready: Ready) -> None:
        channel = client.channel(f"job:{plan.job_id}", PRIVATE)
        channel.on_broadcast("log", heard)
        await channel.subscribe(lambda state, _: ready() if state == "SUBSCRIBED" else None)

    await raw(plan, listen, ready)


async def raw_changes(plan: Plan, hear: Hear, ready: Ready) -> None:
    """Follows the published table."""

    def heard(change: Any) -> None:
        hear(change["data"]["record"]["log_chunk"])

    async def listen(client: AsyncRealtimeClient, ready: Ready) -> None:
        channel = client.channel("logs")
        channel.on_postgres_changes(
            RealtimePostgresChangesListenEvent.Insert,
            heard,
            schema="public",
            table="provision_job_logs",
            filter=f"job_id=eq.{plan.job_id}",
        )
        channel.on_system(lambda _: ready())
        await channel.subscribe()

    await raw(plan, listen, ready)


BROADCAST, CHANGES = "ours, broadcast", "ours, changes"
RAW_BROADCAST, RAW_CHANGES = "realtime-py, broadcast", "realtime-py, changes"
WAYS: dict[str, Callable[[Plan, Hear, Ready], Coroutine[Any, Any, None]]] = {
    BROADCAST: ours,
    CHANGES: ours,
    RAW_BROADCAST: raw_broadcast,
    RAW_CHANGES: raw_changes,
}


async def follow(plan: Plan, ready: Any, found: Any) -> None:
    """Follows until the process is ended.

    Args:
        plan: who follows what.
        ready: an event that is set when everybody listens.
        found: the queue that is given how late each chunk came, in seconds, once all have; a
            chunk's text begins with when it was sent.
    """
    late: list[float] = []
    heard = asyncio.Event()
    listening = [asyncio.Event() for _ in range(plan.followers)]

    def hear(text: str) -> None:
        late.append(time.time() - float(text.split(" ", 1)[0]))
        heard.set()

    async with asyncio.TaskGroup() as followers:
        for listens in listening:
            followers.create_task(WAYS[plan.way](plan, hear, listens.set))
        for listens in listening:
            await listens.wait()
        # what was printed before
        await asyncio.sleep(1)
        late.clear()
        heard.clear()
        ready.set()
        await heard.wait()
        while len(late) < plan.followers * plan.chunks:
            heard.clear()
            try:
                await asyncio.wait_for(heard.wait(), SILENCE)
            except TimeoutError:
                break
        found.put(late)


def process(plan: Plan, ready: Any, found: Any) -> None:
    """The process of the followers; see `follow`."""
    asyncio.run(follow(plan, ready, found))
