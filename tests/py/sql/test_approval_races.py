"""Approvals and states under sessions that really run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from support.queueing import Yard, claim
from support.sessions import Connection, code, race, value

PLANT: LiteralString = "select tests.plant(%s, 'shop', 'production')"
STATE = '{"version": 4, "serial": 1, "lineage": "a"}'


class Guarded:
    """A vine of production that has failed, in a vineyard that asks for approvals."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.vine: UUID = value(yard.admin, PLANT, yard.owner)
        for status in ("QUEUED", "FAILED"):
            yard.admin.execute(
                "update public.vines set status = %s where id = %s", [status, self.vine]
            )
        yard.admin.execute(
            "update public.vineyards set requires_approval = true where account_id = %s",
            [yard.account],
        )

    def an_admin(self) -> Connection:
        """A session of another admin of the account."""
        admin: UUID = value(self.yard.admin, "select tests.sign_up('admin')")
        join: LiteralString = "select tests.join_account(%s, %s, 'admin')"
        self.yard.admin.execute(join, [self.yard.owner, admin])
        return self.yard.session(admin, autocommit=False)

    def destroy(self) -> UUID:
        """Queues a DESTROY, which waits for an approval."""
        enqueue: LiteralString = "select (public.enqueue_job(%s, 'DESTROY', null, 'shop')).id"
        made: UUID = value(self.yard.session(self.yard.owner), enqueue, self.vine)
        return made


@pytest.fixture
def guarded(database: str) -> Iterator[Guarded]:
    with ExitStack() as stack:
        guarded = Guarded(Yard(database, stack))
        yield guarded
        guarded.yard.cancel_all()


def test_of_two_who_approve_at_once_one_is_told_so(guarded: Guarded) -> None:
    first, second = guarded.an_admin(), guarded.an_admin()
    job = guarded.destroy()
    approve: LiteralString = "select public.approve_job(%s)"

    late = race(guarded.yard.admin, first, second, lambda s: s.execute(approve, [job]))

    assert late is not None
    assert code(late) == "approval_not_wanted"
    assert guarded.yard.job(job, "approved_at") is not None
    assert guarded.yard.broken() == []


@pytest.mark.parametrize(
    ("approved_first", "refused_as"), [(False, "approval_not_wanted"), (True, None)]
)
def test_a_job_that_is_cancelled_while_it_is_approved_does_not_run(
    guarded: Guarded, approved_first: bool, refused_as: str | None
) -> None:
    approver, canceller = guarded.an_admin(), guarded.an_admin()
    job = guarded.destroy()

    def approve() -> None:
        approver.execute("select public.approve_job(%s)", [job])

    def cancel() -> None:
        canceller.execute("select public.cancel_job(%s)", [job])

    if approved_first:
        late = race(
            guarded.yard.admin, approver, canceller, lambda _: approve(), lambda _: cancel()
        )
    else:
        late = race(
            guarded.yard.admin, canceller, approver, lambda _: cancel(), lambda _: approve()
        )

    assert (late and code(late)) == refused_as
    assert guarded.yard.job(job) == "CANCELLED"
    assert guarded.yard.broken() == []


@pytest.mark.parametrize("approved_first", [True, False])
def test_who_is_demoted_while_approving_has_approved_nothing(
    guarded: Guarded, approved_first: bool
) -> None:
    yard = guarded.yard
    approver = guarded.an_admin()
    user: UUID = value(approver, "select private.current_user_id()")
    approver.commit()
    owner = yard.session(yard.owner, autocommit=False)
    job = guarded.destroy()

    def approve() -> None:
        approver.execute("select public.approve_job(%s)", [job])

    def demote() -> None:
        demote: LiteralString = "select public.set_member_role(%s, %s, 'viewer')"
        owner.execute(demote, [yard.account, user])

    if approved_first:
        late = race(yard.admin, approver, owner, lambda _: approve(), lambda _: demote())
    else:
        late = race(yard.admin, owner, approver, lambda _: demote(), lambda _: approve())

    assert (late and code(late)) == (None if approved_first else "not_allowed")
    assert yard.job(job, "approved_at") is None
    assert yard.broken() == []


def test_a_job_is_claimed_before_or_after_its_approval_is_withdrawn(guarded: Guarded) -> None:
    yard = guarded.yard
    approver = guarded.an_admin()
    user: UUID = value(approver, "select private.current_user_id()")
    tendril = yard.tendril()
    worker = yard.session(tendril, autocommit=False)
    job = guarded.destroy()
    approver.execute("select public.approve_job(%s)", [job])
    approver.commit()

    late = race(
        yard.admin,
        worker,
        yard.session(yard.owner, autocommit=False),
        lambda session: claim(session, tendril),
        lambda session: session.execute(
            "select public.remove_member(%s, %s)", [yard.account, user]
        ),
    )

    assert late is None
    with pytest.raises(psycopg.Error) as refusal:
        worker.execute("select public.start_job(%s, 1)", [job])
    assert code(refusal.value) == "approval_withdrawn"


def test_no_job_is_claimed_while_its_state_is_put_back(guarded: Guarded) -> None:
    yard = guarded.yard
    tendril = yard.tendril()
    admin, worker = guarded.an_admin(), yard.session(tendril)
    yard.enqueue(guarded.vine)

    admin.execute("select public.push_terraform_state(%s, %s)", [guarded.vine, STATE])
    passed_over = claim(worker, tendril)
    admin.commit()

    assert passed_over is None
    assert claim(worker, tendril) is not None


def test_no_state_is_put_back_while_its_job_is_claimed(guarded: Guarded) -> None:
    yard = guarded.yard
    tendril = yard.tendril()
    yard.enqueue(guarded.vine)

    late = race(
        yard.admin,
        yard.session(tendril, autocommit=False),
        guarded.an_admin(),
        lambda session: claim(session, tendril),
        lambda session: session.execute(
            "select public.push_terraform_state(%s, %s)", [guarded.vine, STATE]
        ),
    )

    assert late is not None
    assert code(late) == "vine_busy"
