"""The database stops hard amid claims and logs: what was acknowledged is there, and all goes on."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from support.queueing import Yard, claim
from support.tap import HELPERS, run
from vintner_local import lifecycle
from vintner_local.lifecycle import Wishes
from vintner_local.postmaster import find_server
from vintner_local.processes import ProcessRef
from vintner_local.stack import SUPERUSER, find_stack

PROJECT = Path(__file__).parents[3]
VINES, JOBS_EACH, TENDRILS = 6, 20, 4
LOG: LiteralString = (
    "select public.append_job_logs(%s, %s, jsonb_build_array(jsonb_build_object("
    "'seq', %s::integer, 'log_chunk', 'a line', 'stream_type', 'STDOUT')))"
)
CHUNKS: LiteralString = (
    "select array_agg(seq order by seq) from public.provision_job_logs where job_id = %s"
)


class Mortal:
    """A stack of this test's own, whose database may be stopped; the stack starts it again."""

    def __init__(self, folder: Path) -> None:
        self._stack = find_stack(PROJECT, folder / "stack")
        wishes = Wishes(api_port=0, db_port=0, owner=ProcessRef.of(os.getpid()))
        state = lifecycle.up(self._stack, wishes, lambda _: None)
        self._cluster = state.cluster
        self.url = state.db_url(SUPERUSER)
        with psycopg.connect(self.url, autocommit=True) as connection:
            run(connection, HELPERS)

    def stop_at_once(self) -> None:
        """As `pg_ctl stop -m immediate` does; returns when the database is back."""
        server = find_server(self._cluster)
        assert server is not None
        os.kill(server.pid, signal.SIGQUIT)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "the database does not come back"
                time.sleep(0.05)
            else:
                if find_server(self._cluster) != server:
                    return

    def remove(self) -> None:
        lifecycle.remove(self._stack)


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    with tempfile.TemporaryDirectory(prefix="vintner-mortal-") as folder:
        Path(folder).chmod(0o711)
        made = Mortal(Path(folder))
        try:
            yield made
        finally:
            made.remove()


class Told:
    """What a Tendril was told: steps that the database has acknowledged."""

    def __init__(self) -> None:
        self.claimed: dict[UUID, int] = {}
        self.logged: dict[UUID, int] = {}
        self.ended: list[UUID] = []

    def work(self, yard: Yard, tendril: UUID) -> None:
        """Works until there is nothing left, or the database is gone."""
        try:
            session = yard.session(tendril)
            while (found := claim(session, tendril)) is not None:
                job, attempt = found
                self.claimed[job] = attempt
                session.execute("select public.start_job(%s, %s)", found)
                for seq in (1, 2):
                    session.execute(LOG, [job, attempt, seq])
                    self.logged[job] = seq
                session.execute("select public.complete_job(%s, %s, 'SUCCESS')", found)
                self.ended.append(job)
        except psycopg.OperationalError:
            return


def test_a_hard_stop_loses_doubles_and_sticks_nothing(mortal: Mortal) -> None:
    told = [Told() for _ in range(TENDRILS)]
    with ExitStack() as sessions:
        yard = Yard(mortal.url, sessions)
        account, owner = yard.account, yard.owner
        yard.plans([yard.vine() for _ in range(VINES)], JOBS_EACH)
        tendrils = [yard.tendril() for _ in range(TENDRILS)]
        with ThreadPoolExecutor(TENDRILS) as pool:
            turns = [
                pool.submit(each.work, yard, tendril)
                for each, tendril in zip(told, tendrils, strict=True)
            ]
            while sum(len(each.ended) for each in told) < 20:
                time.sleep(0.005)
            mortal.stop_at_once()
            for turn in turns:
                turn.result()
    with ExitStack() as sessions:
        yard = Yard(mortal.url, sessions)
        yard.account, yard.owner = account, owner
        assert yard.broken() == []
        ended = {job for each in told for job in each.ended}
        assert 20 <= len(ended) < VINES * JOBS_EACH
        assert {yard.job(job) for job in ended} == {"SUCCESS"}
        for each in told:
            for job, attempt in each.claimed.items():
                assert yard.job(job, "attempt") == attempt
            for job, seq in each.logged.items():
                row = yard.admin.execute(CHUNKS, [job]).fetchone()
                assert row is not None
                # a chunk whose acknowledgement was lost may be there too
                assert row[0][:seq] == list(range(1, seq + 1))
        # the Tendrils are gone; what they held is resolved, and another does the rest
        yard.pass_time(61)
        yard.sweep()
        assert yard.broken() == []
        last = Told()
        last.work(yard, yard.tendril())
        assert yard.statuses() == {"SUCCESS": VINES * JOBS_EACH}
        assert ended.isdisjoint(last.ended)
