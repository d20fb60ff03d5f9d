"""The queues that are measured: how each is installed, filled, claimed from and reported to.

Statements and schemas are each system's own, with every system's finished jobs kept where it
keeps them. All take the same driver's `$1` parameters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from importlib.metadata import version
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg
import rows
from server import Server

Session = psycopg.Connection[tuple[Any, ...]]
VINES = 10_000
SESSIONS = 8
"""At most."""


class Slot(Enum):
    """Stands for what is known only once a job is claimed: the job, or a list of it."""

    JOB = 1
    JOBS = 2


@dataclass(frozen=True)
class Step:
    """One statement.

    Attributes:
        text: the statement, with `$1`.
        values: of its parameters.
    """

    text: str
    values: tuple[Any, ...]

    def run(self, session: Session, job: Any = None) -> Any:
        """The first column of its first row; None where there is none."""
        values = [
            job if value is Slot.JOB else [job] if value is Slot.JOBS else value
            for value in self.values
        ]
        cursor = session.cursor()
        cursor.execute(self.text.encode(), values)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@dataclass(frozen=True)
class Worker:
    """What one session does; made here and run in a process of its own.

    Attributes:
        url: the database.
        tendril: whom the session speaks as; None for the superuser.
        first: run once.
        claim: its first column is the job, or null.
        finish: run one after the other, each in a transaction of its own.
    """

    url: str
    tendril: UUID | None
    first: tuple[Step, ...]
    claim: Step
    finish: tuple[Step, ...]

    def connect(self) -> Session:
        """A session that is ready to claim."""
        session = psycopg.connect(
            self.url, autocommit=True, cursor_factory=psycopg.RawCursor, prepare_threshold=0
        )
        if self.tendril is not None:
            rows.act_as(session, self.tendril)
        for step in self.first:
            step.run(session)
        return session


class Queue(Protocol):
    """One system."""

    @property
    def database(self) -> str:
        """Where its tables are."""

    @property
    def name(self) -> str:
        """Tells it from the others."""

    def title(self) -> str:
        """Name and version."""

    def install(self, server: Server) -> None:
        """Makes its tables."""

    def fill(self, admin: Session, queued: int, finished: int) -> None:
        """Leaves exactly so many jobs."""

    def top_up(self, admin: Session, queued: int) -> None:
        """Adds what is missing to so many queued jobs."""

    def workers(self, count: int) -> list[Worker]:
        """What each session does."""


@dataclass
class Vintner:
    """Ours: the claims, starts and ends of Tendrils of one owner, in one account.

    Attributes:
        server: where it is.
        starts: whether a claimed job is started and succeeds, which is a third transaction; the
            others have no such step. Else it ends as one that could not be started.
    """

    server: Server
    starts: bool = True
    database: str = "postgres"
    tendrils: list[UUID] = field(default_factory=list)
    owner: rows.Person = field(init=False)
    stranger: rows.Person = field(init=False)

    @property
    def name(self) -> str:
        """What it does with a job."""
        return "claim, start, complete" if self.starts else "claim, complete"

    def title(self) -> str:
        """Name and version."""
        return f"vintner {version('vintner')}: {self.name}"

    def install(self, server: Server) -> None:
        """Makes an owner with vines and Tendrils, and a stranger with vines."""
        with server.connect() as admin:
            self.owner, self.stranger = rows.sign_up(admin, 2)
            rows.plant(admin, [self.owner, self.stranger], 10, VINES // 10)
        with psycopg.connect(
            self.server.url(), autocommit=True, cursor_factory=psycopg.RawCursor
        ) as owner:
            rows.act_as(owner, self.owner.id)
            for number in range(SESSIONS):
                register = Step("select public.register_tendril($1)", (f"bench-{number}",))
                self.tendrils.append(UUID(register.run(owner)["worker_id"]))

    def fill(self, admin: Session, queued: int, finished: int) -> None:
        """Leaves exactly so many jobs."""
        rows.empty_queue(admin)
        rows.add_jobs(admin, self.owner.account, queued, finished)
        rows.settle(admin)

    def top_up(self, admin: Session, queued: int) -> None:
        """Adds what is missing to so many queued jobs."""
        query = "select count(*) from public.provision_jobs where status = 'QUEUED'"
        rows.add_jobs(admin, self.owner.account, missing(admin, query, queued))

    def queue_behind_one_vine(self, admin: Session, jobs: int) -> None:
        """Leaves jobs whose vine is busy."""
        rows.empty_queue(admin)
        rows.queue_behind_one_vine(admin, self.owner.account, jobs)
        rows.settle(admin)

    def queue_of_a_stranger(self, admin: Session, jobs: int) -> None:
        """Leaves jobs of an account that the Tendrils do not serve."""
        rows.empty_queue(admin)
        rows.add_jobs(admin, self.stranger.account, jobs)
        rows.settle(admin)

    def workers(self, count: int) -> list[Worker]:
        """What each session does."""
        start = Step("select j.id from public.start_job($1, 1) as j", (Slot.JOB,))
        complete = "select j.id from public.complete_job($1, 1, $2) as j"
        finish = (
            (start, Step(complete, (Slot.JOB, "SUCCESS")))
            if self.starts
            else (Step(complete, (Slot.JOB, "FAILED")),)
        )
        return [
            Worker(
                self.server.url(self.database),
                tendril,
                (Step("select public.heartbeat($1)", ("0.1.0",)),),
                Step("select j.id from public.claim_next_job($1) as j", (tendril,)),
                finish,
            )
            for tendril in self.tendrils[:count]
        ]


@dataclass
class Procrastinate:
    """procrastinate.

    Attributes:
        server: where it is.
        locks: whether each job has one of as many locks as there are vines, so that of those with
            one lock only one runs, as of the jobs of a vine. Else none has any.
    """

    server: Server
    locks: bool = False

    @property
    def database(self) -> str:
        """Where its tables are."""
        return "procrastinate_locks" if self.locks else "procrastinate"

    @property
    def name(self) -> str:
        """What its jobs have."""
        return "procrastinate, a lock a vine" if self.locks else "procrastinate"

    def title(self) -> str:
        """Name and version."""
        name, comma, rest = self.name.partition(",")
        return f"{name} {version('procrastinate')}{comma}{rest}"

    def install(self, server: Server) -> None:
        """Makes its tables, and as many workers as there are sessions at most."""
        from procrastinate.schema import SchemaManager

        server.create(self.database)
        with server.connect(self.database) as admin:
            admin.execute(SchemaManager.get_schema().encode())
            admin.execute("insert into procrastinate_workers select from generate_series(1, 8)")

    def fill(self, admin: Session, queued: int, finished: int) -> None:
        """Leaves exactly so many jobs, with the events of each."""
        admin.execute("truncate procrastinate_jobs, procrastinate_events cascade")
        self._add(admin, finished, "succeeded", ["deferred", "started", "succeeded"])
        self._add(admin, queued)
        admin.execute("vacuum analyze procrastinate_jobs, procrastinate_events")

    def top_up(self, admin: Session, queued: int) -> None:
        """Adds what is missing to so many queued jobs."""
        query = "select count(*) from procrastinate_jobs where status = 'todo'"
        self._add(admin, missing(admin, query, queued))

    def _add(
        self,
        admin: Session,
        jobs: int,
        status: str = "todo",
        events: Sequence[str] = ("deferred",),
    ) -> None:
        with rows.past_triggers(admin):
            admin.execute(
                "with made as ("
                "insert into procrastinate_jobs (queue_name, task_name, status, attempts, lock) "
                "select 'q', 'task', s, (s <> 'todo')::int, "
                "case when %(locks)s then 'vine-' || n %% %(vines)s end "
                "from generate_series(1, %(jobs)s) as n, "
                "cast(%(status)s as procrastinate_job_status) as s returning id) "
                "insert into procrastinate_events (job_id, type) select id, type from made, "
                "unnest(%(events)s::procrastinate_job_event_type[]) as type",
                {
                    "status": status,
                    "locks": self.locks,
                    "vines": VINES,
                    "jobs": jobs,
                    "events": list(events),
                },
            )

    def workers(self, count: int) -> list[Worker]:
        """What each session does: fetch_job, finish_job."""
        from procrastinate.sql import queries

        claim = dollars(queries["fetch_job"], "queues", "worker_id")
        finish = dollars(queries["finish_job"], "job_id", "status", "delete_job")
        url = self.server.url(self.database)
        return [
            Worker(
                url,
                None,
                (),
                Step(claim, (["q"], number)),
                (Step(finish, (Slot.JOB, "succeeded", False)),),
            )
            for number in range(1, count + 1)
        ]


@dataclass
class Pgqueuer:
    """pgqueuer, without concurrency limits."""

    server: Server
    name: str = "pgqueuer"
    database: str = "pgqueuer"

    def title(self) -> str:
        """Name and version."""
        return f"pgqueuer {version('pgqueuer')}"

    def install(self, server: Server) -> None:
        """Makes its tables, with the table settings that its installer offers."""
        from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment

        server.create(self.database)
        build = QueryBuilderEnvironment()
        with server.connect(self.database) as admin:
            admin.execute(build.build_install_query().encode())
            admin.execute(build.build_optimize_autovacuum_query().encode())

    def fill(self, admin: Session, queued: int, finished: int) -> None:
        """Leaves exactly so many jobs; the finished ones are in its log."""
        admin.execute("truncate pgqueuer, pgqueuer_log")
        with rows.past_triggers(admin):
            admin.execute(
                "insert into pgqueuer_log (job_id, status, entrypoint, priority) "
                "select -n, status, 'q', 0 from generate_series(1, %s) as n, "
                "unnest('{queued,picked,successful}'::pgqueuer_status[]) as status",
                [finished],
            )
        self._add(admin, queued)
        admin.execute("vacuum analyze pgqueuer, pgqueuer_log")

    def top_up(self, admin: Session, queued: int) -> None:
        """Adds what is missing to so many queued jobs."""
        query = "select count(*) from pgqueuer where status = 'queued'"
        self._add(admin, missing(admin, query, queued))

    def _add(self, admin: Session, queued: int) -> None:
        with rows.past_triggers(admin):
            admin.execute(
                "with made as (insert into pgqueuer (priority, status, entrypoint) "
                "select 0, 'queued', 'q' from generate_series(1, %s) returning id) "
                "insert into pgqueuer_log (job_id, status, entrypoint, priority) "
                "select id, 'queued', 'q', 0 from made",
                [queued],
            )

    def workers(self, count: int) -> list[Worker]:
        """What each session does: dequeue one job, log it as successful."""
        from pgqueuer.adapters.persistence.qb import QueryQueueBuilder

        build: Any = QueryQueueBuilder()
        found = []
        for _ in range(count):
            claim = build.build_dequeue_query(
                batch_size=1,
                entrypoints=["q"],
                concurrency_limits=[0],
                queue_manager_id=uuid4(),
                global_concurrency_limit=None,
                heartbeat_timeout=timedelta(seconds=30),
            )
            finish = Step(build.build_log_job_query(), (Slot.JOBS, ["successful"], [None]))
            url = self.server.url(self.database)
            found.append(Worker(url, None, (), Step(claim.sql, tuple(claim.args)), (finish,)))
        return found


def dollars(query: str, *names: str) -> str:
    """A query with `%(name)s` parameters as one with `$1`, in the order of the names."""
    return re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", query)


def missing(admin: Session, count: str, wanted: int) -> int:
    """How many rows a count lacks."""
    row = admin.execute(count.encode()).fetchone()
    assert row is not None
    return max(0, wanted - int(row[0]))
