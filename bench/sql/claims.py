"""Rounds of claiming and finishing, the systems in turns."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

from queues import Queue, Session, Step, Vintner, Worker
from report import percentiles, spread, table
from server import Server

WARM_UP = 20
SMALL = 3_000
"""Jobs a second of a round that a queue of "0" holds, so that none waits for work."""
SAMPLES = 200
EMPTY_ENOUGH = 100
OLD_SNAPSHOT = "nothing, but somebody has read since before and keeps old rows from being removed"
OURS = ("claim, start, complete", "claim, complete")

CONTEXT = multiprocessing.get_context("forkserver")


@dataclass
class Found:
    """What one system showed in one cell.

    Attributes:
        rates: jobs a second, one figure a round.
        claims: how long each claim took, in seconds.
        cycles: how long each took from claim to finish.
    """

    rates: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    cycles: list[float] = field(default_factory=list)


def cycle(session: Session, worker: Worker) -> tuple[float, float] | None:
    """Claims and finishes a job; how long the claim and the whole took, or None without a job."""
    began = time.perf_counter()
    job = worker.claim.run(session)
    claimed = time.perf_counter()
    if job is None:
        return None
    for step in worker.finish:
        step.run(session, job)
    return claimed - began, time.perf_counter() - began


def work(worker: Worker, seconds: float, ready: Any, found: Any) -> None:
    """One session's round, in a process of its own.

    Args:
        worker: what to do.
        seconds: how long, unless the queue is empty before.
        ready: a barrier of all sessions.
        found: a queue for the durations and the time it took.
    """
    with worker.connect() as session:
        for _ in range(WARM_UP):
            cycle(session, worker)
        ready.wait()
        began = time.perf_counter()
        done: list[tuple[float, float]] = []
        empty = 0
        while time.perf_counter() - began < seconds and empty < EMPTY_ENOUGH:
            took = cycle(session, worker)
            empty = 0 if took else empty + 1
            if took:
                done.append(took)
        found.put((done, time.perf_counter() - began))


def one_round(workers: Sequence[Worker], seconds: float, cell: Found) -> None:
    """Has all sessions work at once, and adds what they found."""
    ready, found = CONTEXT.Barrier(len(workers)), CONTEXT.Queue()
    processes: list[BaseProcess] = [
        CONTEXT.Process(target=work, args=(worker, seconds, ready, found)) for worker in workers
    ]
    for process in processes:
        process.start()
    answers = [found.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    cell.rates.append(sum(len(done) for done, _ in answers) / max(took for _, took in answers))
    for done, _ in answers:
        cell.claims += [claim for claim, _ in done]
        cell.cycles += [whole for _, whole in done]


def in_turns(
    server: Server,
    queues: Sequence[Queue],
    count: int,
    seconds: float,
    rounds: int,
    prepare: Callable[[Queue, Session], None],
) -> dict[str, Found]:
    """Rounds in the order A B C, C B A, and so on."""
    cells = {queue.name: Found() for queue in queues}
    for number in range(rounds):
        for queue in queues if number % 2 == 0 else reversed(queues):
            with server.connect(queue.database) as admin:
                prepare(queue, admin)
            one_round(queue.workers(count), seconds, cells[queue.name])
    return cells


def compare(
    server: Server,
    queues: Sequence[Queue],
    sizes: Sequence[tuple[int, int]],
    sessions: Sequence[int],
    seconds: float,
    rounds: int,
) -> None:
    """Prints the tables of claiming and finishing.

    Args:
        server: holds a database for each system.
        queues: the systems, ours first.
        sizes: queued and finished jobs of each cell.
        sessions: how many work at once.
        seconds: of a round.
        rounds: of each system in each cell.
    """
    small = int(SMALL * seconds)
    rates, claims, cycles, costs = [], [], [], []
    for queued, finished in sizes:

        def fill(queue: Queue, admin: Session, size: tuple[int, int] = (queued, finished)) -> None:
            queue.fill(admin, size[0] or small, size[1])

        def top_up(queue: Queue, admin: Session, size: int = queued) -> None:
            queue.top_up(admin, size or small)

        for queue in {queue.database: queue for queue in queues}.values():
            with server.connect(queue.database) as admin:
                fill(queue, admin)
        for count in sessions:
            # what a round leaves is much beside nothing, and little beside a hundred thousand
            prepare = top_up if queued or finished else fill
            cells = in_turns(server, queues, count, seconds, rounds, prepare)
            medians = {queue.name: statistics.median(cells[queue.name].rates) for queue in queues}
            best = max(medians.pop(name) for name in OURS)
            heading = [f"{queued:,} + {finished:,}, {count}"]
            found = [cells[queue.name] for queue in queues]
            rates.append(
                [
                    *heading,
                    *(spread(cell.rates) for cell in found),
                    f"{best / max(medians.values()):.2f}",
                ]
            )
            claims.append([*heading, *(percentiles(cell.claims) for cell in found)])
            cycles.append([*heading, *(percentiles(cell.cycles) for cell in found)])
        costs += [cost(server, queue, queued, finished) for queue in queues]
    heads = ["queued + finished, sessions", *(queue.title() for queue in queues)]
    print("Jobs a second, claimed and finished: median of the rounds (least to most)\n")
    table([*heads, "our better / the faster other"], rates)
    print("A claim, ms: p50 / p95 / p99\n")
    table(heads, claims)
    print("From claim to finish, ms: p50 / p95 / p99\n")
    table(heads, cycles)
    print("What a job costs\n")
    table(
        ["system, queued + finished", "buffers a claim", "WAL bytes a job", "dead rows a job"],
        costs,
    )


def cost(server: Server, queue: Queue, queued: int, finished: int) -> list[str]:
    """Buffers of a claim; WAL and dead rows of a job: figures that noise does not change."""
    (worker,) = queue.workers(1)
    explain = Step(
        f"explain (analyze, buffers, format json) {worker.claim.text}", worker.claim.values
    )
    with server.connect(queue.database) as admin:
        queue.top_up(admin, max(queued, 1_000))
        with worker.connect() as session:
            for _ in range(WARM_UP):
                cycle(session, worker)
            buffers = []
            for _ in range(21):
                plan = explain.run(session)[0]["Plan"]
                buffers.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    with server.connect(queue.database) as admin:
        dead, written = dead_rows(admin), wal(admin)
        with worker.connect() as session:
            done = sum(cycle(session, worker) is not None for _ in range(SAMPLES))
        wrote = wal(admin) - written
        time.sleep(1)  # a session's counts are seen a moment after its end
        died = dead_rows(admin) - dead
    return [
        f"{queue.title()}, {queued:,} + {finished:,}",
        f"{statistics.median(buffers):.0f}",
        f"{wrote / done:,.0f}",
        f"{died / done:.1f}",
    ]


def dead_rows(admin: Session) -> int:
    """Row versions that updates and deletes have left so far in this database."""
    row = admin.execute("select sum(n_tup_upd + n_tup_del) from pg_stat_user_tables").fetchone()
    assert row is not None
    return int(row[0])


def wal(admin: Session) -> int:
    """Bytes of WAL written so far."""
    row = admin.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
    assert row is not None
    return int(row[0])


def behind_others(server: Server, ours: Vintner, jobs: int, seconds: float, rounds: int) -> None:
    """Prints how long claims take while many jobs that cannot be claimed stand first."""
    crowds: dict[str, Callable[[Session], None]] = {
        "nothing": lambda admin: ours.fill(admin, 0, 0),
        OLD_SNAPSHOT: lambda admin: ours.fill(admin, 0, 0),
        f"{jobs:,} of one busy vine": lambda admin: ours.queue_behind_one_vine(admin, jobs),
        f"{jobs:,} of an account that it does not serve": (
            lambda admin: ours.queue_of_a_stranger(admin, jobs)
        ),
    }
    lines = []
    for name, crowd in crowds.items():
        with server.connect(ours.database) as admin:
            crowd(admin)
        wanted = int(SMALL * seconds) + (0 if name in ("nothing", OLD_SNAPSHOT) else jobs)

        def top_up(_: Queue, admin: Session, wanted: int = wanted) -> None:
            ours.top_up(admin, wanted)

        with ExitStack() as stack:
            if name == OLD_SNAPSHOT:
                holder = stack.enter_context(server.connect(ours.database))
                stack.enter_context(holder.transaction())
                holder.execute("set transaction isolation level repeatable read")
                holder.execute("select from public.provision_jobs limit 1")
            found = in_turns(server, [ours], 1, seconds, rounds, top_up)[ours.name]
        lines.append([name, spread(found.rates), percentiles(found.claims)])
    print(f"{ours.title()}, one session, by what stands first in the queue\n")
    table(["before the claimable jobs", "jobs/s", "a claim, ms: p50 / p95 / p99"], lines)
