"""Taking in logs: a Tendril's batches of chunks."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import psycopg
import rows
from psycopg.types.json import Jsonb
from report import spread, table
from server import Server

BATCHES = (1, 10, 100)
CHUNK = "x" * 1023 + "\n"
CHUNKS_A_JOB = 2_000
"""Then another job is taken, so that no job's log grows past what one may hold."""


class Source:
    """A Tendril with one job after another.

    Args:
        server: holds the migrations.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        with server.connect() as admin:
            rows.empty_queue(admin)
            (self._owner,) = rows.sign_up(admin, 1)
            rows.plant(admin, [self._owner], 1, 100)
        with self._session(self._owner.id) as owner:
            made = value(owner, "select public.register_tendril($1)", "logger")
        self._tendril = UUID(made["worker_id"])
        self.session = self._session(self._tendril)
        value(self.session, "select public.heartbeat($1)", "0.1.0")

    def _session(self, user: UUID) -> psycopg.Connection[Any]:
        session = psycopg.connect(
            self._server.url(),
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            prepare_threshold=0,
        )
        rows.act_as(session, user)
        return session

    def next_job(self) -> UUID:
        """A job that has just started."""
        with self._server.connect() as admin:
            rows.add_jobs(admin, self._owner.account, 1)
        value(self.session, "select public.heartbeat($1)", "0.1.0")
        claim = "select j.id from public.claim_next_job($1) as j"
        job: UUID = value(self.session, claim, self._tendril)
        value(self.session, "select (public.start_job($1, 1)).id", job)
        return job

    def end(self, job: UUID) -> None:
        """Ends a job."""
        value(self.session, "select (public.complete_job($1, 1, 'SUCCESS')).id", job)


def value(session: psycopg.Connection[Any], query: str, *values: Any) -> Any:
    """The first column of the first row."""
    row = session.cursor().execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]


def burst(source: Source, batch: int, seconds: float) -> float:
    """Chunks a second, in batches of one size, over so much time within calls."""
    sent, spent = 0, 0.0
    append = "select public.append_job_logs($1, 1, $2)"
    while spent < seconds:
        job = source.next_job()
        for first in range(1, CHUNKS_A_JOB, batch):
            chunks = [
                {"seq": first + n, "log_chunk": CHUNK, "stream_type": "STDOUT"}
                for n in range(batch)
            ]
            began = time.perf_counter()
            value(source.session, append, job, Jsonb(chunks))
            spent += time.perf_counter() - began
            sent += batch
            if spent >= seconds:
                break
        source.end(job)
    return sent / spent


def measure(server: Server, seconds: float, rounds: int) -> None:
    """Prints chunks and bytes a second; the sizes take turns."""
    source = Source(server)
    found: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    for number in range(rounds):
        for batch in BATCHES if number % 2 == 0 else reversed(BATCHES):
            found[batch].append(burst(source, batch, seconds))
    source.session.close()
    print("append_job_logs, one session, chunks of 1 KB\n")
    table(
        ["chunks a call", "chunks/s", "MB/s"],
        [
            [str(batch), spread(rates), spread([rate * len(CHUNK) / 1e6 for rate in rates], 2)]
            for batch, rates in found.items()
        ],
    )
