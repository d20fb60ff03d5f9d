"""Random walks: whatever anybody calls in whatever order, the queue does what a small model says.

One walk is one transaction, whose clock stands still; time passes by setting times back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from support.queueing import TENDRIL, broken
from support.sessions import code, value

TIMEOUTS = {"PLAN": 3600, "DEPLOY": 14400, "DESTROY": 14400}
RUNNING = ("CLAIMED", "PROCESSING")
LEASE, BEAT, START_LIMIT, STOP_LIMIT = 60, 15, 300, 600


@dataclass
class Vine:
    id: UUID
    status: str = "DRAFT"


@dataclass
class Tendril:
    id: UUID
    status: str = "ONLINE"
    silent: int = 0


@dataclass(eq=False)
class Job:
    """A job as the model has it; ages and what is left are in seconds."""

    id: UUID
    vine: Vine
    kind: str
    number: int
    vine_before: str
    status: str = "QUEUED"
    unapproved: bool = False
    holder: Tendril | None = None
    attempt: int = 0
    claimed: int = 0
    started: int | None = None
    asked_after: int | None = None
    left: int = 0

    @property
    def timed_out(self) -> bool:
        return self.asked_after is not None and self.asked_after >= TIMEOUTS[self.kind]

    @property
    def turn(self) -> tuple[bool, int]:
        return (self.kind == "PLAN", self.number)


@dataclass
class Model:
    """The rules of the queue, in the fewest words."""

    jobs: list[Job] = field(default_factory=list)
    tendrils: list[Tendril] = field(default_factory=list)

    def refusal(self, vine: Vine, kind: str) -> str | None:
        unfinished = {
            (job.kind, job.unapproved)
            for job in self.jobs
            if job.vine is vine and job.status in ("QUEUED", *RUNNING)
        }
        in_the_way = unfinished - {("PLAN", False), ("PLAN", True)}
        if kind == "PLAN":
            in_the_way &= {("DESTROY", False)}
        if vine.status == "DESTROYED":
            return "vine_destroyed"
        if kind == "DESTROY" and vine.status == "DRAFT":
            return "vine_not_destroyable"
        return "vine_busy" if in_the_way else None

    def next_job(self) -> Job | None:
        busy = {id(job.vine) for job in self.jobs if job.status in RUNNING}
        return min(
            (
                job
                for job in self.jobs
                if job.status == "QUEUED" and not job.unapproved and id(job.vine) not in busy
            ),
            key=lambda job: job.turn,
            default=None,
        )

    def waiting_on(self, job: Job) -> str | None:
        if job.status != "QUEUED":
            return None
        if job.unapproved:
            return "approval"
        others = [other for other in self.jobs if other.vine is job.vine and other is not job]
        first = all(
            other.status not in RUNNING
            and (other.status != "QUEUED" or other.unapproved or job.turn < other.turn)
            for other in others
        )
        return "tendril" if first else "vine"

    def end(self, job: Job, status: str) -> None:
        job.status = status
        good = status == "SUCCESS"
        if job.kind == "DEPLOY":
            done = "ACTIVE" if good else "FAILED"
            job.vine.status = job.vine_before if job.started is None else done
        elif job.kind == "DESTROY" and job.started is not None:
            job.vine.status = "DESTROYED" if good else "FAILED"

    def lose(self, job: Job) -> None:
        harmless = job.status == "CLAIMED" or job.kind == "PLAN"
        asked = job.asked_after is not None
        if harmless and asked and not job.timed_out:
            self.end(job, "CANCELLED")
        elif harmless and not asked and job.attempt < 3:
            job.status, job.holder, job.started = "QUEUED", None, None
        else:
            self.end(job, "FAILED")

    def sweep(self) -> None:
        for tendril in self.tendrils:
            held = [job for job in self.jobs if job.holder is tendril and job.status in RUNNING]
            in_grace = any(job.claimed < min(tendril.silent, LEASE) for job in held)
            if tendril.status != "OFFLINE" and tendril.silent > LEASE and not in_grace:
                tendril.status = "OFFLINE"
                for job in held:
                    self.lose(job)
        for job in self.jobs:
            if job.status not in RUNNING or job.left >= 0:
                continue
            if job.status == "CLAIMED":
                self.lose(job)
            elif job.asked_after is None:
                job.asked_after, job.left = job.started, STOP_LIMIT
            else:
                self.end(job, "FAILED" if job.timed_out else "CANCELLED")


class Walk(RuleBasedStateMachine):
    """Owner, viewer, stranger and two Tendrils at two vines."""

    url = ""
    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.session = psycopg.connect(self.url)
        self.model = Model()
        self.made = 0

    def teardown(self) -> None:
        self.session.rollback()
        self.session.close()

    @contextmanager
    def acting(self, user: UUID) -> Iterator[None]:
        """Speaks as this user; what is refused leaves nothing behind."""
        with self.session.transaction():
            self.session.execute("select tests.act_as(%s)", [user])
            yield
            self.session.execute("select tests.act_as_owner()")

    def call(self, user: UUID, query: LiteralString, *arguments: object) -> tuple[Any, str | None]:
        """What a call gives, and the code that it is refused with."""
        try:
            with self.acting(user):
                return value(self.session, query, *arguments), None
        except psycopg.Error as error:
            return None, code(error)

    @initialize()
    def settle(self) -> None:
        people = [value(self.session, "select tests.sign_up('walker')") for _ in range(3)]
        self.owner, self.viewer, self.stranger = people
        join: LiteralString = "select tests.join_account(%s, %s, 'viewer')"
        self.session.execute(join, [self.owner, self.viewer])
        account: LiteralString = "select id from accounts where personal_user_id = %s"
        self.account: UUID = value(self.session, account, self.owner)
        plant: LiteralString = "select tests.plant(%s)"
        self.vines = [Vine(value(self.session, plant, self.owner)) for _ in range(2)]
        self.model.tendrils = [
            Tendril(value(self.session, TENDRIL, self.owner, "self-hosted")) for _ in range(2)
        ]

    @rule(
        target=jobs,
        number=st.integers(0, 1),
        kind=st.sampled_from(["PLAN", "PLAN", "DEPLOY", "DEPLOY", "DESTROY"]),
        unapproved=st.sampled_from([False, False, False, True]),
    )
    def enqueue(self, number: int, kind: str, *, unapproved: bool) -> Any:
        vine = self.vines[number]
        self.model.sweep()
        wanted = self.model.refusal(vine, kind)
        before = vine.status
        query: LiteralString = "select (public.enqueue_job(%s, %s)).id"
        job_id, refused = self.call(self.owner, query, vine.id, kind)
        assert refused == wanted
        if refused is not None:
            # what a refused call swept is undone with it
            self.sweep()
            return multiple()
        self.made += 1
        job = Job(job_id, vine, kind, self.made, before, unapproved=unapproved)
        if unapproved:
            hold: LiteralString = "update provision_jobs set approval_required = true where id = %s"
            self.session.execute(hold, [job_id])
        if kind == "DEPLOY":
            vine.status = "QUEUED"
        self.model.jobs.append(job)
        return job

    @rule(number=st.integers(0, 1), cancelled=st.none() | jobs)
    def outsiders_change_nothing(self, number: int, cancelled: Job | None) -> None:
        query: LiteralString = "select public.enqueue_job(%s, 'PLAN')"
        vine = self.vines[number].id
        assert self.call(self.viewer, query, vine)[1] == "not_allowed"
        assert self.call(self.stranger, query, vine)[1] == "not_found"
        if cancelled is not None:
            cancel: LiteralString = "select public.cancel_job(%s)"
            assert self.call(self.viewer, cancel, cancelled.id)[1] == "not_allowed"
            assert self.call(self.stranger, cancel, cancelled.id)[1] == "not_found"
            assert self.call(self.stranger, "select public.start_job(%s, 1)", cancelled.id)[1]

    @rule(job=jobs)
    def approve(self, job: Job) -> None:
        approval: LiteralString = "update provision_jobs set approved_at = now() where id = %s"
        self.session.execute(approval, [job.id])
        job.unapproved = False

    @rule(job=jobs)
    def cancel(self, job: Job) -> None:
        query: LiteralString = "select (public.cancel_job(%s)).id"
        refused = self.call(self.owner, query, job.id)[1]
        if job.status in ("QUEUED", "CLAIMED"):
            assert refused is None
            self.model.end(job, "CANCELLED")
        elif job.status == "PROCESSING":
            assert refused is None
            if job.asked_after is None:
                job.asked_after, job.left = job.started, STOP_LIMIT
        else:
            assert refused == "job_ended"

    @rule(number=st.integers(0, 1), starts=st.booleans())
    def claim(self, number: int, *, starts: bool) -> None:
        tendril = self.model.tendrils[number]
        self.sweep()
        query: LiteralString = "select (public.claim_next_job(%s)).id"
        job_id, refused = self.call(tendril.id, query, tendril.id)
        # a fresh claim keeps what it holds, but it is to be heard of before the next one
        if tendril.status != "ONLINE" or tendril.silent > LEASE:
            assert refused == "worker_unavailable"
            return
        job = self.model.next_job()
        assert (job_id, refused) == (job and job.id, None)
        if job is not None:
            job.status, job.holder, job.claimed, job.left = "CLAIMED", tendril, 0, START_LIMIT
            job.attempt += 1
            if starts:
                self.start(number, job, 0)

    @rule(number=st.integers(0, 1), job=jobs, late=st.sampled_from([0, 0, 0, 1]))
    def start(self, number: int, job: Job, late: int) -> None:
        tendril = self.model.tendrils[number]
        query: LiteralString = "select (public.start_job(%s, %s)).status"
        refused = self.call(tendril.id, query, job.id, job.attempt - late)[1]
        if job.holder is not tendril or late or job.status not in RUNNING:
            assert refused == "lease_lost"
            return
        if job.status == "CLAIMED" and job.vine.status == "DESTROYED":
            assert refused == "vine_destroyed"
            return
        assert refused is None
        if job.status == "CLAIMED":
            job.status, job.started, job.left = "PROCESSING", 0, TIMEOUTS[job.kind]
            if job.kind != "PLAN":
                job.vine.status = "PROVISIONING" if job.kind == "DEPLOY" else "DESTROYING"

    @rule(
        number=st.integers(0, 1),
        job=jobs,
        status=st.sampled_from(["SUCCESS", "SUCCESS", "FAILED", "CANCELLED"]),
        late=st.sampled_from([0, 0, 0, 1]),
    )
    def complete(self, number: int, job: Job, status: str, late: int) -> None:
        tendril = self.model.tendrils[number]
        query: LiteralString = "select (public.complete_job(%s, %s, %s)).status"
        told, refused = self.call(tendril.id, query, job.id, job.attempt - late, status)
        if job.holder is tendril and not late and job.status == status:
            assert told == status
        elif job.holder is not tendril or late or job.status not in RUNNING:
            assert refused == "lease_lost"
        elif job.status == "CLAIMED" and status == "SUCCESS":
            assert refused == "illegal_transition"
        else:
            assert told == status
            self.model.end(job, status)

    @rule(
        number=st.integers(0, 1),
        status=st.sampled_from(["ONLINE", "ONLINE", "ONLINE", "DRAINING", "OFFLINE"]),
        forgets=st.booleans(),
    )
    def heartbeat(self, number: int, status: str, *, forgets: bool) -> None:
        tendril = self.model.tendrils[number]
        held = [job for job in self.model.jobs if job.holder is tendril and job.status in RUNNING]
        named = [] if forgets else held
        query: LiteralString = "select public.heartbeat('1.0.0', %s, %s)"
        answer, refused = self.call(tendril.id, query, status, [job.id for job in named])
        assert refused is None
        tendril.status, tendril.silent = status, 0
        for job in held:
            if status == "OFFLINE" or (job not in named and job.claimed > BEAT):
                self.model.lose(job)
        self.model.sweep()
        still = [job for job in held if job.holder is tendril and job.status in RUNNING]
        assert set(answer["lost_job_ids"]) == {str(job.id) for job in named if job not in still}
        assert set(answer["cancel_job_ids"]) == {
            str(job.id) for job in still if job.asked_after is not None
        }

    @rule(seconds=st.sampled_from([10, 16, 61, 61, 61, 301, 601, 4000, 15000]))
    def time_passes(self, seconds: int) -> None:
        moves: Sequence[LiteralString] = (
            "update workers set last_heartbeat = last_heartbeat - t "
            "from make_interval(secs => %s) as t where user_id = %s",
            "update provision_jobs set claimed_at = claimed_at - t, started_at = started_at - t, "
            "deadline = deadline - t, cancel_requested_at = cancel_requested_at - t "
            "from make_interval(secs => %s) as t where user_id = %s and completed_at is null",
        )
        for move in moves:
            self.session.execute(move, [seconds, self.owner])
        for tendril in self.model.tendrils:
            tendril.silent += seconds
        for job in self.model.jobs:
            job.claimed += seconds
            job.left -= seconds
            job.started = None if job.started is None else job.started + seconds

    def sweep(self) -> None:
        self.session.execute("select private.sweep()")
        self.model.sweep()

    @invariant()
    def the_database_is_where_the_model_is(self) -> None:
        if not self.model.tendrils:
            return
        jobs: LiteralString = (
            "select id, status::text, worker_id, attempt, public.waiting_on(j) "
            "from provision_jobs as j where account_id = %s"
        )
        assert set(self.session.execute(jobs, [self.account])) == {
            (
                *(job.id, job.status, job.holder and job.holder.id, job.attempt),
                self.model.waiting_on(job),
            )
            for job in self.model.jobs
        }
        both: LiteralString = (
            "select id, status::text from vines where account_id = %s "
            "union all select id, status::text from workers where user_id = %s"
        )
        assert set(self.session.execute(both, [self.account, self.owner])) == {
            *((vine.id, vine.status) for vine in self.vines),
            *((tendril.id, tendril.status) for tendril in self.model.tendrils),
        }
        assert broken(self.session, self.account) == []


def walk(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            # making a failure smaller would take minutes
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def walked(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, "url", database)


@pytest.mark.usefixtures("walked")
def test_random_walks_end_where_the_model_does() -> None:
    walk(examples=30, steps=30)


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("walked")
def test_many_long_walks_do_too() -> None:
    walk(examples=1000, steps=50)
