"""Following a log without an event loop: the sync client's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from support._sync.people import client_of, plant, sign_up, tendril_of
from support.waiting import until
from vintner_client import LiveState, Vintner, errors
from vintner_client.models import Job, JobStatus, LogChunk, NewLogChunk, StreamType
from vintner_local.pytest_plugin import SupabaseStack


class Writer:
    """A Tendril with a job that runs, and the client of the job's owner."""

    def __init__(self, owner: Vintner, tendril: Vintner) -> None:
        self.owner = owner
        self._tendril = tendril
        owner.vines.plan(plant(owner).id)
        job = tendril.lease.claim_next_job()
        assert job is not None
        self.job: Job = tendril.lease.start_job(job)

    def write(self, seq: int) -> None:
        """Adds a chunk."""
        chunk = NewLogChunk(seq=seq, log_chunk=f"{seq}\n", stream_type=StreamType.STDOUT)
        self._tendril.lease.append_logs(self.job, [chunk])

    def end(self) -> None:
        """Ends the job."""
        self._tendril.lease.complete_job(self.job, status=JobStatus.SUCCESS)


@pytest.fixture
def writer(supabase_stack: SupabaseStack) -> Iterator[Writer]:
    with client_of(supabase_stack) as owner, client_of(supabase_stack) as tendril:
        sign_up(owner)
        tendril_of(owner, tendril)
        yield Writer(owner, tendril)


def live_threads() -> int:
    return sum(thread.name == "vintner-live" for thread in threading.enumerate())


def test_a_log_is_followed_while_it_grows(writer: Writer) -> None:
    writer.write(1)
    seen: list[int] = []
    for chunk in writer.owner.jobs.follow_logs(writer.job.id):
        seen.append(chunk.seq)
        if chunk.seq < 5:
            writer.write(chunk.seq + 1)
        else:
            writer.end()
    assert seen == [1, 2, 3, 4, 5]


def test_who_leaves_a_log_early_leaves_nothing_running(writer: Writer) -> None:
    before = live_threads()
    writer.write(1)
    following = writer.owner.jobs.follow_logs(writer.job.id)
    assert next(following).seq == 1
    assert live_threads() == before + 1
    following.close()
    writer.owner.close()
    assert live_threads() == before
    with pytest.raises(errors.ClientClosed):
        next(writer.owner.jobs.follow_logs(writer.job.id))


def test_the_state_is_told_in_the_thread(writer: Writer) -> None:
    told: list[tuple[LiveState, str]] = []
    live = writer.owner.live
    live.on_state_change(lambda state, _: told.append((state, threading.current_thread().name)))
    assert (live.state, live.error) == (LiveState.CLOSED, None)
    writer.write(1)
    for chunk in writer.owner.jobs.follow_logs(writer.job.id):
        while live.state is not LiveState.LIVE:
            time.sleep(0.02)
        if chunk.seq == 1:
            writer.write(2)
        else:
            writer.end()
    assert (live.state, live.error) == (LiveState.CLOSED, None)
    assert [state for state, _ in told] == ["connecting", "live", "closed"]
    assert {thread for _, thread in told} == {"vintner-live"}


async def test_closing_the_client_ends_who_waits(writer: Writer) -> None:
    refusals: list[BaseException] = []
    seen: list[LogChunk] = []

    def follow() -> None:
        try:
            seen.extend(writer.owner.jobs.follow_logs(writer.job.id))
        except errors.ClientClosed as error:
            refusals.append(error)

    waiting = threading.Thread(target=follow)
    waiting.start()
    await until(live_threads)
    writer.owner.close()
    await until(lambda: not waiting.is_alive())
    assert (len(refusals), seen) == (1, [])
