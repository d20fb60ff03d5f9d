"""What the database says on private channels, heard through the real Realtime."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient
from realtime.types import RealtimeChannelOptions

from support._async.people import plant
from support.waiting import until
from vintner_client import AsyncVintner
from vintner_client.models import Job, NewLogChunk, StreamType
from vintner_local.pytest_plugin import SupabaseStack

PRIVATE: RealtimeChannelOptions = {"config": {"private": True, "broadcast": None, "presence": None}}

Broadcasts = list[tuple[str, dict[str, Any]]]


class Line:
    """A connection to Realtime of its own, as one user."""

    def __init__(self, client: AsyncRealtimeClient) -> None:
        self._client = client
        self.channel: AsyncRealtimeChannel
        self.heard: Broadcasts = []

    async def join(self, topic: str, *events: str) -> str:
        """Joins a private channel; gives the answer's state."""
        self.channel = self._client.channel(topic, PRIVATE)
        states: list[str] = []
        for event in events:
            self.channel.on_broadcast(event, self._listener(event))
        await self.channel.subscribe(lambda state, _: states.append(state.value))
        await until(lambda: bool(states))
        return states[0]

    def _listener(self, event: str) -> Callable[[Any], None]:
        return lambda message: self.heard.append((event, message["payload"]))


Call = Callable[[AsyncVintner], Any]


@pytest.fixture
def call(supabase_stack: SupabaseStack) -> Call:
    """Opens a line to Realtime as a client's user."""

    @asynccontextmanager
    async def call(client: AsyncVintner) -> AsyncIterator[Line]:
        url = f"{supabase_stack.url}/realtime/v1"
        opened = AsyncRealtimeClient(url, supabase_stack.publishable_key)
        await opened.connect()
        await opened.set_auth(await client.auth.access_token())
        try:
            yield Line(opened)
        finally:
            await opened.close()

    return call


@pytest.fixture
async def job(ann: AsyncVintner, tendril: AsyncVintner) -> Job:
    """A job of Ann's that her Tendril holds."""
    await ann.vines.plan((await plant(ann)).id)
    claimed = await tendril.lease.claim_next_job()
    assert claimed is not None
    return claimed


def chunk(seq: int, text: str) -> NewLogChunk:
    return NewLogChunk(seq=seq, log_chunk=text, stream_type=StreamType.STDOUT)


async def test_members_hear_a_log_batch_in_one_message(
    ann: AsyncVintner, bob: AsyncVintner, tendril: AsyncVintner, job: Job, call: Call
) -> None:
    async with call(ann) as member, call(tendril) as holder, call(bob) as stranger:
        topic = f"job:{job.id}"
        assert await stranger.join(topic, "log") == "CHANNEL_ERROR"
        assert await member.join(topic, "log") == "SUBSCRIBED"
        assert await holder.join(topic, "log") == "SUBSCRIBED"
        await tendril.lease.append_logs(job, [chunk(1, "one\n"), chunk(2, "two\n")])
        await tendril.lease.append_logs(job, [chunk(2, "two\n"), chunk(3, "three\n")])
        await until(lambda: len(member.heard) == len(holder.heard) == 2)
    stored = {log.seq: log for log in await ann.jobs.logs(job.id).all()}
    for (event, payload), seqs in zip(member.heard, [[1, 2], [3]], strict=True):
        assert (event, UUID(payload["job_id"])) == ("log", job.id)
        assert [sent["seq"] for sent in payload["chunks"]] == seqs
        for sent in payload["chunks"]:
            assert set(sent) == {"seq", "log_chunk", "stream_type", "created_at"}
            assert sent["log_chunk"] == stored[sent["seq"]].log_chunk
    assert stranger.heard == []


async def test_a_big_batch_is_split_and_nobody_else_can_send(
    ann: AsyncVintner, tendril: AsyncVintner, job: Job, call: Call, supabase_stack: SupabaseStack
) -> None:
    # at its worst, a character takes six bytes of JSON
    batch = [chunk(seq, "\x01" * 40_960 if seq == 3 else "x" * 40_000) for seq in range(1, 10)]
    async with call(ann) as member, call(ann) as forger:
        topic = f"job:{job.id}"
        await member.join(topic, "log", "forged")
        await forger.join(topic)
        await forger.channel.send_broadcast("forged", {"job_id": str(job.id)})
        await tendril.lease.append_logs(job, batch)
        await until(lambda: sum(len(sent["chunks"]) for _, sent in member.heard) == len(batch))
    assert {event for event, _ in member.heard} == {"log"}
    assert [[sent["seq"] for sent in message["chunks"]] for _, message in member.heard] == [
        [1, 2],
        [3],
        [4, 5, 6, 7, 8, 9],
    ]
    with psycopg.connect(supabase_stack.admin_db_url) as database:
        row = database.execute(
            "select max(octet_length(payload::text)) from realtime.messages where topic = %s",
            [topic],
        ).fetchone()
    assert row is not None
    assert row[0] < 256 * 1024


async def test_a_tendril_is_woken_and_told_what_to_cancel(
    ann: AsyncVintner, bob: AsyncVintner, tendril: AsyncVintner, call: Call
) -> None:
    vine = await plant(ann)
    topic = f"worker:{tendril.auth.user_id}"
    async with call(tendril) as line, call(ann) as owner:
        assert await owner.join(topic, "wake") == "CHANNEL_ERROR"
        assert await line.join(topic, "wake", "cancel") == "SUBSCRIBED"
        elsewhere = await bob.vines.plan((await plant(bob)).id)
        job = await ann.vines.plan(vine.id)
        await until(lambda: bool(line.heard))
        claimed = await tendril.lease.claim_next_job()
        assert claimed is not None
        assert claimed.id == job.id != elsewhere.id
        await tendril.lease.start_job(claimed)
        await ann.jobs.cancel(job.id)
        await until(lambda: len(line.heard) == 2)
    (woken, _), (told, payload) = line.heard
    assert (woken, told, payload["job_id"]) == ("wake", "cancel", str(job.id))
