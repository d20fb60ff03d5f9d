"""Following a log: how late its chunks come, and what a follower costs, beside realtime-py.

Run as `python bench/follow_logs.py [--rounds N] [--chunks N]`. It starts a stack of its own and
prints tables. Followers run in a process of their own, on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psutil
import psycopg
from followers import BROADCAST, CHANGES, RAW_BROADCAST, RAW_CHANGES, WAYS, Plan, process

from vintner_client import AsyncVintner
from vintner_client.models import Job, NewLogChunk, StreamType
from vintner_local import lifecycle
from vintner_local.lifecycle import Wishes
from vintner_local.processes import ProcessRef
from vintner_local.settings import RealtimeDelay
from vintner_local.stack import SUPERUSER, Stack, StackState
from vintner_local.throwaway import throwaway_stack

PROJECT = Path(__file__).parents[1]
PASSWORD = "correct horse battery"  # noqa: S105 of a stack that lives for minutes
RATE = 20
"""Chunks a second."""
CHUNK = "x" * 1000
FOLLOWERS = (1, 10, 50)
QUIET_SECONDS = 20
LOAD_REQUESTS, LOAD_FOLLOWERS = 100, 10
LOADED = "loaded"
SAME_WAY = {BROADCAST: RAW_BROADCAST, CHANGES: RAW_CHANGES}
REFUSE = """
create policy nobody on realtime.messages as restrictive for select to authenticated using (false)
"""
ALLOW = "drop policy if exists nobody on realtime.messages"


@dataclass
class Scene:
    """A user who follows, and a Tendril that writes.

    Attributes:
        state: the stack.
        user: the user's client.
        tendril: the Tendril's client.
        job: whose log is measured.
        other: a job whose log is but load.
        written: the last seq of each job's log, by its id.
    """

    state: StackState
    user: AsyncVintner
    tendril: AsyncVintner
    job: Job
    other: Job
    written: dict[UUID, int] = field(default_factory=dict)

    async def append(self, job: Job, chunks: int) -> None:
        """Appends chunks that tell when they were sent, one a call, at the rate."""
        began = time.perf_counter()
        for number in range(chunks):
            await asyncio.sleep(max(0, began + number / RATE - time.perf_counter()))
            seq = self.written[job.id] = self.written.get(job.id, 0) + 1
            text = f"{time.time()} {CHUNK}\n"
            chunk = NewLogChunk(seq=seq, log_chunk=text, stream_type=StreamType.STDOUT)
            await self.tendril.lease.append_logs(job, [chunk])

    def plan(self, way: str, followers: int, chunks: int, job: Job, url: str = "") -> Plan:
        """A process of followers."""
        assert self.user.auth.session is not None
        session = self.user.auth.session.model_dump_json()
        key, url = self.state.keys.publishable, url or self.state.api_url
        return Plan(url, key, session, job.id, way, followers, chunks)

    @contextmanager
    def letting(self, way: str) -> Iterator[None]:
        """Refuses the private channel meanwhile, if it is the other way that is wanted."""
        with psycopg.connect(self.state.db_url(SUPERUSER), autocommit=True) as database:
            if way == CHANGES:
                database.execute(REFUSE)
            try:
                yield
            finally:
                database.execute(ALLOW)


@asynccontextmanager
async def scene(state: StackState) -> AsyncIterator[Scene]:
    """A new user with two jobs that run."""
    at: dict[str, Any] = {"url": state.api_url, "key": state.keys.publishable}
    async with AsyncVintner(**at) as user, AsyncVintner(**at) as tendril:
        await user.auth.sign_up(email=f"{time.time_ns()}@example.com", password=PASSWORD)
        token = (await user.tendrils.register(name="tendril")).token
        await tendril.auth.sign_in_tendril(token=token)
        await tendril.lease.heartbeat(version="1.0.0")
        vineyard = await user.vineyards.create(name="bench")
        identity = await user.identities.create(provider="local", name="sandbox")
        manifest = {
            "vineyard_id": vineyard.id,
            "cloud_identity_id": identity.id,
            "region": "eu-west-1",
        }
        jobs = []
        for name in ("measured", "load"):
            vine = await user.vines.plant({**manifest, "project_name": name})
            await user.vines.plan(vine.id)
            job = await tendril.lease.claim_next_job()
            assert job is not None
            jobs.append(await tendril.lease.start_job(job))
        yield Scene(state, user, tendril, job=jobs[0], other=jobs[1])


@dataclass
class Followers:
    """A running process of followers."""

    pid: int
    found: Any

    async def late(self) -> list[float]:
        """How late each chunk came to each, in seconds; waits for the last."""
        found: list[float] = await asyncio.to_thread(self.found.get)
        return found

    def cpu(self) -> float:
        """Seconds that it has computed."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system


@asynccontextmanager
async def following(plan: Plan) -> AsyncIterator[Followers]:
    """A process of followers that all listen."""
    context = multiprocessing.get_context("spawn")
    ready, found = context.Event(), context.Queue()
    running = context.Process(target=process, args=(plan, ready, found))
    running.start()
    assert running.pid is not None
    try:
        await asyncio.to_thread(ready.wait)
        yield Followers(running.pid, found)
    finally:
        running.terminate()
        await asyncio.to_thread(running.join)


@asynccontextmanager
async def loaded(scene: Scene) -> AsyncIterator[None]:
    """Another job's log with followers, and requests, meanwhile."""

    async def write() -> None:
        while True:
            await scene.append(scene.other, RATE)

    async def ask() -> None:
        began, number = time.perf_counter(), 0
        while True:
            number += 1
            late = began + number / LOAD_REQUESTS - time.perf_counter()
            await asyncio.sleep(max(0, late))
            await scene.user.jobs.get(scene.other.id)

    plan = scene.plan(RAW_BROADCAST, LOAD_FOLLOWERS, 10**9, scene.other)
    async with following(plan):
        tasks = [asyncio.create_task(work()) for work in (write, ask)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def latency(scene: Scene, way: str, chunks: int) -> str:
    """Cells: how many chunks came, and how late: median and 95th percentile in milliseconds."""
    with scene.letting(way):
        async with following(scene.plan(way, 1, chunks, scene.job)) as followers:
            await scene.append(scene.job, chunks)
            late = await followers.late()
    ends = statistics.quantiles(late, n=20)
    return (
        f"{way} | {len(late)} of {chunks} | "
        f"{statistics.median(late) * 1000:.1f} | {ends[-1] * 1000:.1f}"
    )


class Counter:
    """A way to the stack that counts what passes.

    Attributes:
        url: where it listens.
        bytes: what has passed, both ways.
    """

    def __init__(self, target: str) -> None:
        self.url = ""
        self.bytes = 0
        self._target = urlsplit(target)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes one connection on."""
        up = await asyncio.open_connection(self._target.hostname, self._target.port)
        with suppress(ConnectionError):
            await asyncio.gather(self._pass(reader, up[1]), self._pass(up[0], writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.bytes += len(data)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def counting(target: str) -> AsyncIterator[Counter]:
    """A counter in front of a URL."""
    counter = Counter(target)
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    counter.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield counter
    finally:
        server.close()


@dataclass(frozen=True)
class Cost:
    """What one follower costs.

    Attributes:
        quiet_bytes: a minute while nothing is printed.
        quiet_cpu: seconds of CPU a minute while nothing is printed.
        bytes: for each chunk.
        cpu: seconds of CPU for each chunk.
    """

    quiet_bytes: float
    quiet_cpu: float
    bytes: float
    cpu: float


async def cost(scene: Scene, way: str, count: int, chunks: int) -> Cost:
    """What each of some followers costs."""
    with scene.letting(way):
        async with counting(scene.state.api_url) as counter:
            plan = scene.plan(way, count, chunks, scene.job, counter.url)
            async with following(plan) as followers:
                marks = [(counter.bytes, followers.cpu())]
                await asyncio.sleep(QUIET_SECONDS)
                marks.append((counter.bytes, followers.cpu()))
                await scene.append(scene.job, chunks)
                late = await followers.late()
                marks.append((counter.bytes, followers.cpu()))
    assert len(late) == count * chunks, f"{way}: {len(late)} of {count * chunks} came"
    minutes = QUIET_SECONDS / 60
    (a_bytes, a_cpu), (b_bytes, b_cpu), (c_bytes, c_cpu) = marks
    return Cost(
        (b_bytes - a_bytes) / count / minutes,
        (b_cpu - a_cpu) / count / minutes,
        (c_bytes - b_bytes) / count / chunks,
        (c_cpu - b_cpu) / count / chunks,
    )


async def latencies(state: StackState, title: str, ways: Iterable[str], chunks: int) -> None:
    """Prints rows of latency."""
    async with scene(state) as new, loaded(new) if title == LOADED else nullcontext():
        for way in ways:
            print(f"| {title} | {await latency(new, way, chunks)} |", flush=True)


async def costs(state: StackState, rounds: int, chunks: int) -> None:
    """Prints what followers cost."""
    print(
        "\n| followers | by | bytes a chunk | CPU ms a chunk | CPU, ours / realtime-py"
        " | bytes a quiet minute | CPU ms a quiet minute |"
        "\n| ---: | --- | ---: | ---: | ---: | ---: | ---: |"
    )
    for count in FOLLOWERS:
        found: dict[str, list[Cost]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way in list(WAYS)[:: -1 if turn % 2 else 1]:
                async with scene(state) as new:
                    found[way].append(await cost(new, way, count, chunks))
        spent = {way: statistics.median(one.cpu for one in each) for way, each in found.items()}
        for way, each in found.items():
            cells = [
                f"{statistics.median(one.bytes for one in each):,.0f}",
                f"{spent[way] * 1000:.2f}",
                f"{spent[way] / spent[SAME_WAY[way]]:.2f}" if way in SAME_WAY else "",
                f"{statistics.median(one.quiet_bytes for one in each):,.0f}",
                f"{statistics.median(one.quiet_cpu for one in each) * 1000:.0f}",
            ]
            print(f"| {count} | {way} | {' | '.join(cells)} |", flush=True)


def restarted(stack: Stack, delay: RealtimeDelay) -> StackState:
    """The stack, with or without the waits of a hosted server."""

    def quiet(_: str) -> None:
        pass

    lifecycle.down(stack, quiet)
    owner = ProcessRef.of(os.getpid())
    return lifecycle.up(stack, Wishes(owner=owner, realtime_delay=delay), quiet)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of each cost")
    parser.add_argument("--chunks", type=int, default=200, help="of each measurement")
    given = parser.parse_args()
    with throwaway_stack(PROJECT) as (stack, state):
        print("| stack | by | came | median ms | p95 ms |\n| --- | --- | ---: | ---: | ---: |")
        asyncio.run(latencies(state, "idle", WAYS, given.chunks))
        asyncio.run(latencies(state, LOADED, WAYS, given.chunks))
        state = restarted(stack, "real")
        asyncio.run(latencies(state, "idle, hosted waits", (BROADCAST, CHANGES), given.chunks))
        state = restarted(stack, "0")
        asyncio.run(costs(state, given.rounds, given.chunks))


if __name__ == "__main__":
    main()
