"""Following a log without an event loop: the sync client's thread."""

from __future__ import annotations

import os
import signal
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


@pytest.mark.parametrize("moment", [LiveState.CONNECTING, LiveState.LIVE])
def test_ctrl_c_leaves_a_log_that_says_nothing(writer: Writer, moment: LiveState) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(state: LiveState, _: errors.VintnerError | None) -> None:
        if state is moment:
            signal.pthread_kill(main, signal.SIGINT)

    end = writer.owner.live.on_state_change(interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(writer.owner.jobs.follow_logs(writer.job.id))
    end()
    assert writer.owner.live.state is LiveState.CLOSED

    writer.write(1)
    following = writer.owner.jobs.follow_logs(writer.job.id)
    assert next(following).seq == 1
    following.close()


def test_a_callback_does_not_close_its_client(writer: Writer) -> None:
    """It would wait for itself."""
    refusals: list[errors.InvalidInput] = []

    def close(*_: object) -> None:
        with pytest.raises(errors.InvalidInput, match="waits for the thread") as refusal:
            writer.owner.close()
        refusals.append(refusal.value)

    writer.write(1)
    writer.owner.live.on_state_change(close)
    following = writer.owner.jobs.follow_logs(writer.job.id)
    assert next(following).seq == 1
    following.close()
    assert refusals
    writer.owner.close()


def test_what_is_live_does_not_hang_in_a_fork(writer: Writer) -> None:
    writer.write(1)
    following = writer.owner.jobs.follow_logs(writer.job.id)
    assert next(following).seq == 1
    child = os.fork()
    if child == 0:
        status = 1
        try:
            next(writer.owner.jobs.follow_logs(writer.job.id))
        except errors.InvalidInput as error:
            status = 0 if "forked" in error.message else 2
            writer.owner.live._close()
        finally:
            os._exit(status)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    following.close()
