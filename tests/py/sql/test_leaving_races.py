"""Who and what goes while somebody is at work there: nobody deadlocks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import LiteralString
from uuid import UUID

import pytest

from support.queueing import Yard, claim
from support.sessions import Connection, race, until_blocked, value

START: LiteralString = "select public.start_job(%s, %s)"
COMPLETE: LiteralString = "select public.complete_job(%s, %s, 'SUCCESS')"
AT_WORK: LiteralString = "select public.get_terraform_state(%s, %s)"


@pytest.fixture
def yard(database: str) -> Iterator[Yard]:
    with ExitStack() as stack:
        yard = Yard(database, stack)
        yield yard
        yard.cancel_all()


def member(yard: Yard, role: str) -> UUID:
    """Another member of the yard's account."""
    user: UUID = value(yard.admin, "select tests.sign_up('member')")
    yard.admin.execute("select tests.join_account(%s, %s, %s)", [yard.owner, user, role])
    return user


def as_database(yard: Yard) -> Connection:
    """A session in a transaction, past the policies."""
    session = yard.session(yard.owner, autocommit=False)
    session.execute("reset role")
    session.commit()
    return session


def test_an_admin_goes_whose_tendril_runs_before_the_job_they_approved(yard: Yard) -> None:
    leaver = member(yard, "admin")
    vine: UUID = value(yard.admin, "select tests.plant(%s, 'shop', 'production')", yard.owner)
    for status in ("QUEUED", "FAILED"):
        yard.admin.execute("update public.vines set status = %s where id = %s", [status, vine])
    guard: LiteralString = (
        "update public.vineyards set requires_approval = true where account_id = %s"
    )
    yard.admin.execute(guard, [yard.account])
    tendril = yard.tendril()
    lend: LiteralString = "update public.workers set user_id = %s where id = %s"
    yard.admin.execute(lend, [leaver, tendril])
    plan = yard.enqueue(vine)
    worker = yard.session(tendril)
    worker.execute(START, claim(worker, tendril))
    enqueue: LiteralString = "select (public.enqueue_job(%s, 'DESTROY', null, 'shop')).id"
    destroy: UUID = value(yard.session(yard.owner), enqueue, vine)
    yard.session(leaver).execute("select public.approve_job(%s)", [destroy])

    # whoever cancels has locked the job, and is yet to lock its vine
    lock: LiteralString = "select from public.provision_jobs where id = %s for update"
    late = race(
        yard.admin,
        as_database(yard),
        yard.session(yard.owner, autocommit=False),
        lambda session: session.execute(lock, [destroy]),
        lambda session: session.execute(
            "select public.remove_member(%s, %s)", [yard.account, leaver]
        ),
        lambda session: session.execute("select public.cancel_job(%s)", [destroy]),
    )

    assert late is None
    assert (yard.job(plan), yard.job(destroy)) == ("QUEUED", "CANCELLED")
    assert yard.broken() == []


def test_an_admin_goes_whose_tendrils_run_what_a_manifest_is_about_to_change(yard: Yard) -> None:
    leaver = member(yard, "admin")
    lend: LiteralString = "update public.workers set user_id = %s where id = %s"
    first, second = sorted([yard.vine(), yard.vine()])
    # the job with the lower id is of the vine with the higher one
    jobs = {vine: yard.enqueue(vine) for vine in (first, second)}
    while jobs[second] > jobs[first]:
        yard.session(yard.owner).execute("select public.cancel_job(%s)", [jobs[second]])
        jobs[second] = yard.enqueue(second)
    for _ in jobs:
        tendril = yard.tendril()
        yard.admin.execute(lend, [leaver, tendril])
        assert claim(yard.session(tendril), tendril)
    lock: LiteralString = "select from public.vines where id = %s for update"

    late = race(
        yard.admin,
        as_database(yard),
        yard.session(yard.owner, autocommit=False),
        lambda session: session.execute(lock, [first]),
        lambda session: session.execute(
            "select public.remove_member(%s, %s)", [yard.account, leaver]
        ),
        lambda session: session.execute(lock, [second]),
    )

    assert late is None
    assert [yard.job(job) for job in jobs.values()] == ["QUEUED", "QUEUED"]
    assert yard.broken() == []


def test_a_user_goes_while_a_job_of_theirs_ends_in_a_team(yard: Yard) -> None:
    leaver = member(yard, "operator")
    vine = yard.vine()
    yard.admin.execute("update public.vines set user_id = %s where id = %s", [leaver, vine])
    yard.session(leaver).execute("select public.enqueue_job(%s, 'PLAN')", [vine])
    tendril = yard.tendril()
    worker = yard.session(tendril, autocommit=False)
    job = claim(worker, tendril)
    assert job is not None
    worker.execute(START, job)
    worker.commit()

    late = race(
        yard.admin,
        worker,
        as_database(yard),
        lambda session: session.execute(AT_WORK, job),
        lambda session: session.execute("delete from auth.users where id = %s", [leaver]),
        lambda session: session.execute(COMPLETE, job),
    )

    assert late is None
    assert (yard.job(job[0]), yard.job(job[0], "user_id")) == ("SUCCESS", None)
    assert yard.broken() == []


def test_a_vineyard_goes_while_a_job_is_queued_in_it(yard: Yard) -> None:
    vine, other = yard.vine(), yard.vine()
    vineyard: LiteralString = "select vineyard_id from public.vines where id = %s"
    enqueue: LiteralString = "select (public.enqueue_job(%s, 'PLAN', 'key')).id"
    delete: LiteralString = "delete from public.vineyards where id = %s"
    first = yard.session(yard.owner, autocommit=False)
    second, deleter = yard.session(yard.owner), yard.session(yard.owner)
    gone: UUID = value(yard.admin, vineyard, vine)

    # with one key the second has locked its vine, and waits for the first before it adds its job
    first.execute(enqueue, [other])
    with ThreadPoolExecutor(2) as pool:
        queued = pool.submit(second.execute, enqueue, [vine])
        until_blocked(yard.admin, second, queued)
        deleted = pool.submit(deleter.execute, delete, [gone])
        until_blocked(yard.admin, deleter, deleted)
        first.rollback()
        queued.result()
        deleted.result()

    assert yard.statuses() == {}
    assert yard.broken() == []


def test_a_team_goes_while_a_vine_is_planted_in_it(yard: Yard) -> None:
    owner = yard.session(yard.owner)
    team: UUID = value(owner, "select (public.create_account('team')).id")
    vineyard: UUID = value(
        owner, "insert into public.vineyards (account_id, name) values (%s, 'a') returning id", team
    )
    identity: UUID = value(
        owner,
        "insert into public.cloud_identities (account_id, provider, name) "
        "values (%s, 'local', 'here') returning id",
        team,
    )
    plant: LiteralString = (
        "insert into public.vines (vineyard_id, cloud_identity_id, project_name, region) "
        "values (%s, %s, 'shop', 'here')"
    )

    late = race(
        yard.admin,
        yard.session(yard.owner, autocommit=False),
        yard.session(yard.owner, autocommit=False),
        lambda session: session.execute(plant, [vineyard, identity]),
        lambda session: session.execute("select public.delete_account(%s)", [team]),
    )

    assert late is None
    left: LiteralString = "select count(*) from public.vines where vineyard_id = %s"
    assert value(yard.admin, left, vineyard) == 0
