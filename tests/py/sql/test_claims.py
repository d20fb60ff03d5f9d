"""Claims from sessions that really run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import LiteralString
from uuid import UUID, uuid4

import pytest
from psycopg import sql

from support.queueing import Yard, claim

TENDRILS = 16
VINES = 45
PLANS_EACH = 40
TESTS = 200
JOBS = VINES * PLANS_EACH + TESTS

# each step is a transaction of its own, as through the Data API
WORK: LiteralString = """
do $$
declare
  v_tendril constant uuid := auth.uid();
  v_job public.provision_jobs;
begin
  loop
    v_job := public.claim_next_job(v_tendril);
    if v_job.id is null then
      exit when (select count(*) from {claims}) = {jobs};
      commit;
      continue;
    end if;
    insert into {claims} (job_id) values (v_job.id);
    commit;
    perform public.start_job(v_job.id, v_job.attempt);
    commit;
    perform public.complete_job(v_job.id, v_job.attempt, 'SUCCESS');
    commit;
  end loop;
end $$
"""


@pytest.fixture
def yard(database: str) -> Iterator[Yard]:
    with ExitStack() as stack:
        yield Yard(database, stack)


def queue_connection_tests(yard: Yard, count: int) -> None:
    """Queues jobs that belong to no vine."""
    yard.admin.execute(
        "insert into public.provision_jobs (account_id, user_id, job_type) "
        "select %s, %s, 'CONNECTION_TEST' from generate_series(1, %s)",
        [yard.account, yard.owner, count],
    )


def in_order(yard: Yard) -> list[UUID]:
    """All jobs, first to be claimed first."""
    query: LiteralString = (
        "select id from public.provision_jobs where account_id = %s "
        "order by priority, created_at, id"
    )
    return [row[0] for row in yard.admin.execute(query, [yard.account])]


def test_sixteen_tendrils_share_two_thousand_jobs(yard: Yard) -> None:
    vines = [yard.vine() for _ in range(VINES)]
    yard.plans(vines, PLANS_EACH)
    queue_connection_tests(yard, TESTS)
    name = sql.Identifier("tests", f"claims_{uuid4().hex}")
    yard.admin.execute(
        sql.SQL(
            "create unlogged table {} (place bigserial, job_id uuid); "
            "grant all on {} to authenticated; "
            "grant usage on all sequences in schema tests to authenticated"
        ).format(name, name)
    )
    work = sql.SQL(WORK).format(claims=name, jobs=JOBS)
    sessions = [yard.session(yard.tendril()) for _ in range(TENDRILS)]
    with ThreadPoolExecutor(TENDRILS) as pool:
        list(pool.map(lambda session: session.execute(work), sessions))

    claimed = yard.admin.execute(
        sql.SQL(
            "select j.vine_id, j.id from {} as c "
            "join public.provision_jobs as j on j.id = c.job_id order by c.place"
        ).format(name)
    ).fetchall()
    assert len(claimed) == len({job for _, job in claimed}) == JOBS
    assert yard.statuses() == {"SUCCESS": JOBS}
    wanted = {job: place for place, job in enumerate(in_order(yard))}
    for vine in vines:
        places = [wanted[job] for of_vine, job in claimed if of_vine == vine]
        assert places == sorted(places)
    assert yard.broken() == []
    yard.admin.execute(sql.SQL("drop table {}").format(name))


def test_one_tendril_takes_jobs_by_priority_and_age(yard: Yard) -> None:
    vines = [yard.vine() for _ in range(3)]
    yard.plans(vines, 2)
    queue_connection_tests(yard, 3)
    deploy = yard.enqueue(vines[1], "DEPLOY")
    tendril = yard.tendril()
    session = yard.session(tendril)
    taken = []
    while (found := claim(session, tendril)) is not None:
        taken.append(found[0])
        session.execute("select public.start_job(%s, %s)", found)
        session.execute("select public.complete_job(%s, %s, 'SUCCESS')", found)
    assert taken == in_order(yard)
    assert taken.index(deploy) == 3


def test_jobs_of_a_busy_vine_hold_up_no_other(yard: Yard) -> None:
    busy, free = yard.vine(), yard.vine()
    yard.plans([busy], 3)
    yard.plans([free])
    tendril = yard.tendril()
    session = yard.session(tendril)
    first, second = claim(session, tendril), claim(session, tendril)
    assert first is not None
    assert second is not None
    assert [yard.job(found[0], "vine_id") for found in (first, second)] == [busy, free]
    assert claim(session, tendril) is None
    session.execute("select public.start_job(%s, %s)", first)
    session.execute("select public.complete_job(%s, %s, 'SUCCESS')", first)
    third = claim(session, tendril)
    assert third is not None
    assert yard.job(third[0], "vine_id") == busy
