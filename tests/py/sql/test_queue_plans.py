"""What a claim reads: the same few pages, however many jobs are queued, done or behind one vine.

Pages are counted, not seconds, so that a busy machine changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from support.queueing import JOBS, TENDRIL
from support.sessions import Connection, value

MANY = 4000
MORE_PAGES = 300
"""How many more a claim may read than without all these jobs; a scan of them reads thousands."""

FINISHED: LiteralString = """
insert into public.provision_jobs (
  account_id, job_type, priority, timeout_seconds, status, attempt, created_at, completed_at
)
select %s, 'PLAN', 2, 3600, 'SUCCESS', 1, now() - interval '1 day', now()
from generate_series(1, %s)
"""
UNBOUND: LiteralString = """
insert into public.provision_jobs (account_id, job_type) select %s, 'CONNECTION_TEST'
from generate_series(1, %s)
"""


class Crammed:
    """One transaction, rolled back, with many jobs of other people."""

    def __init__(self, session: Connection) -> None:
        self.session = session
        self.owner, self.tendril, self.vine, self.account = self.home()

    def home(self, mode: str = "self-hosted") -> tuple[UUID, UUID, UUID, UUID]:
        """Somebody with a Tendril and a vine."""
        owner: UUID = value(self.session, "select tests.sign_up('owner')")
        vine: UUID = value(self.session, "select tests.plant(%s)", owner)
        tendril: UUID = value(self.session, TENDRIL, owner, mode)
        of_owner: LiteralString = "select id from accounts where personal_user_id = %s"
        return owner, tendril, vine, value(self.session, of_owner, owner)

    def usual(self) -> int:
        """How many pages a claim reads while there is next to nothing, once its plans are made."""
        for _ in range(3):
            self.session.execute(JOBS, [1, [self.vine]])
            job, read = self.pages(self.tendril)
            self.session.execute("select tests.act_as(%s)", [self.tendril])
            self.session.execute("select public.complete_job(%s, 1, 'FAILED')", [job])
            self.session.execute("select tests.act_as_owner()")
        return read

    def pages(self, tendril: UUID) -> tuple[Any, int]:
        """The job that a claim gives, and how many pages it read."""
        self.session.execute("select tests.act_as(%s)", [tendril])
        explain: LiteralString = (
            "explain (analyze, buffers, timing off, format json) select public.claim_next_job(%s)"
        )
        held: LiteralString = (
            "select id from public.provision_jobs where worker_id = %s and status = 'CLAIMED'"
        )
        plan = value(self.session, explain, tendril)[0]["Plan"]
        row = self.session.execute(held, [tendril]).fetchone()
        self.session.execute("select tests.act_as_owner()")
        return row and row[0], plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.fixture
def crammed(database: str) -> Iterator[Crammed]:
    with ExitStack() as stack:
        session = stack.enter_context(psycopg.connect(database))
        stack.callback(session.rollback)
        yield Crammed(session)


@pytest.mark.parametrize("mode", ["self-hosted", "cloud-hosted"])
def test_jobs_of_others_and_of_the_past_cost_a_claim_nothing(crammed: Crammed, mode: str) -> None:
    if mode == "cloud-hosted":
        to_cloud: LiteralString = "update workers set mode = 'cloud-hosted' where id = %s"
        crammed.session.execute(to_cloud, [crammed.tendril])
    usual = crammed.usual()
    *_, others = crammed.home()
    crammed.session.execute(UNBOUND, [others, MANY])
    crammed.session.execute("set local session_replication_role = replica")
    crammed.session.execute(FINISHED, [crammed.account, 5 * MANY])
    crammed.session.execute("set local session_replication_role = origin")
    # the first may read the catalog too: what autovacuum analyzes makes every plan be made anew
    assert min(crammed.pages(crammed.tendril)[1] for _ in range(3)) < usual + MORE_PAGES
    crammed.session.execute(JOBS, [1, [crammed.vine]])
    found, read = crammed.pages(crammed.tendril)
    assert found is not None
    assert read < usual + MORE_PAGES


def test_jobs_that_may_be_claimed_cost_a_claim_nothing(crammed: Crammed) -> None:
    # plans are made while the planner knows of next to none that may be claimed
    crammed.session.execute(JOBS, [MANY, [crammed.vine]])
    crammed.session.execute("analyze private.open_jobs")
    usual = crammed.usual()
    crammed.session.execute(UNBOUND, [crammed.account, MANY])
    claims = [crammed.pages(crammed.tendril) for _ in range(3)]
    assert all(found for found, _ in claims)
    assert min(read for _, read in claims) < usual + MORE_PAGES


def test_jobs_behind_a_busy_vine_cost_a_claim_nothing(crammed: Crammed) -> None:
    usual = crammed.usual()
    crammed.session.execute(JOBS, [MANY, [crammed.vine]])
    first, read = crammed.pages(crammed.tendril)
    assert first is not None
    assert read < usual + MORE_PAGES
    again, read = crammed.pages(crammed.tendril)
    assert again == first
    assert read < usual + MORE_PAGES


def test_one_who_may_be_silent_costs_a_claim_nothing(crammed: Crammed) -> None:
    usual = crammed.usual()
    _, silent, vine, account = crammed.home("cloud-hosted")
    crammed.session.execute(UNBOUND, [account, 5 * MANY])
    crammed.session.execute(JOBS, [1, [vine]])
    held, _ = crammed.pages(silent)
    assert held is not None
    # its machine is starting, and every claim looks whether it is lost
    moves: tuple[LiteralString, ...] = (
        "update workers set last_heartbeat = now() - interval '4 min' where id = %s",
        "update provision_jobs set claimed_at = now() - interval '3 min' where worker_id = %s",
    )
    for move in moves:
        crammed.session.execute(move, [silent])
    assert min(crammed.pages(crammed.tendril)[1] for _ in range(3)) < usual + MORE_PAGES
