"""Teams under sessions that really run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from support.sessions import Connection, act_as, code, race, value

OWNERS = "select count(*) from accounts_memberships where account_id = %s and role = 'owner'"


class Team:
    """A team with two owners, and sessions of theirs."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack
        self.admin: Connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        self.owners = [self.person(), self.person()]
        with self.session(self.owners[0]) as session:
            self.id = value(session, "select (public.create_account('team')).id")
        self.join(self.owners[1], "owner")

    def person(self) -> UUID:
        """A new user with a confirmed address."""
        user: UUID = value(self.admin, "select tests.sign_up('person')")
        self.admin.execute("update auth.users set email_confirmed_at = now() where id = %s", [user])
        return user

    def join(self, user: UUID, role: str) -> None:
        join: LiteralString = "insert into accounts_memberships values (%s, %s, %s)"
        self.admin.execute(join, [self.id, user, role])

    def session(self, user: UUID | None = None) -> Connection:
        """A session as this user, or as the database's superuser, that opens transactions."""
        session = self._stack.enter_context(psycopg.connect(self._url))
        if user is not None:
            act_as(session, user)
            session.commit()
        return session

    def vine(self) -> UUID:
        """A vine of the team's that has never been deployed."""
        vineyard: LiteralString = (
            "insert into vineyards (account_id, name) values (%s, 'one') returning id"
        )
        identity: LiteralString = (
            "insert into cloud_identities (account_id, provider, name)"
            " values (%s, 'local', 'one') returning id"
        )
        vine: UUID = value(
            self.admin,
            "insert into vines (vineyard_id, cloud_identity_id, project_name, region)"
            " values (%s, %s, 'shop', 'here') returning id",
            value(self.admin, vineyard, self.id),
            value(self.admin, identity, self.id),
        )
        return vine

    def token(self, inviter: UUID, invited: UUID) -> str:
        """The token of an invitation."""
        email = value(self.admin, "select email from auth.users where id = %s", invited)
        invite: LiteralString = "select public.invite_member(%s, %s, 'viewer') ->> 'token'"
        with self.session(inviter) as session:
            token: str = value(session, invite, self.id, email)
        return token


@pytest.fixture
def team(database: str) -> Iterator[Team]:
    with ExitStack() as stack:
        yield Team(database, stack)


def test_of_two_owners_who_leave_at_once_one_stays(team: Team) -> None:
    def leave(session: Connection) -> None:
        session.execute("select public.remove_member(%s, private.current_user_id())", [team.id])

    late = race(team.admin, team.session(team.owners[0]), team.session(team.owners[1]), leave)

    assert late is not None
    assert code(late) == "account_needs_owner"
    assert value(team.admin, OWNERS, team.id) == 1


@pytest.mark.parametrize(
    ("isolation", "refused_as"),
    [
        (psycopg.IsolationLevel.READ_COMMITTED, "account_needs_owner"),
        (psycopg.IsolationLevel.REPEATABLE_READ, "40001"),
    ],
)
def test_so_it_is_for_who_writes_past_the_functions(
    team: Team, isolation: psycopg.IsolationLevel, refused_as: str
) -> None:
    first, second = team.session(), team.session()
    second.isolation_level = isolation
    # its snapshot is older than what the first does
    second.execute("select from accounts limit 1")
    delete: LiteralString = (
        "delete from accounts_memberships where account_id = %s and user_id = %s"
    )

    late = race(
        team.admin,
        first,
        second,
        lambda session: session.execute(delete, [team.id, team.owners[0]]),
        lambda session: session.execute(delete, [team.id, team.owners[1]]),
    )

    assert late is not None
    assert code(late) == refused_as
    assert value(team.admin, OWNERS, team.id) == 1


def test_a_team_whose_owners_are_deleted_at_once_passes_to_its_admin(team: Team) -> None:
    admin = team.person()
    team.join(admin, "admin")
    delete: LiteralString = "delete from auth.users where id = %s"

    late = race(
        team.admin,
        team.session(),
        team.session(),
        lambda session: session.execute(delete, [team.owners[0]]),
        lambda session: session.execute(delete, [team.owners[1]]),
    )

    assert late is None
    owner: LiteralString = "select user_id from accounts_memberships where account_id = %s"
    assert value(team.admin, owner, team.id) == admin
    assert value(team.admin, OWNERS, team.id) == 1


def test_an_invitation_that_is_accepted_twice_at_once_is_used_once(team: Team) -> None:
    guest = team.person()
    token = team.token(team.owners[0], guest)

    late = race(
        team.admin,
        team.session(guest),
        team.session(guest),
        lambda session: session.execute("select public.accept_invitation(%s)", [token]),
    )

    assert late is not None
    assert code(late) == "invitation_used"
    members: LiteralString = "select count(*) from accounts_memberships where account_id = %s"
    assert value(team.admin, members, team.id) == 3


def test_an_invitation_does_not_outlast_who_made_it(team: Team) -> None:
    guest = team.person()
    token = team.token(team.owners[0], guest)

    late = race(
        team.admin,
        team.session(team.owners[1]),
        team.session(guest),
        lambda session: session.execute(
            "select public.remove_member(%s, %s)", [team.id, team.owners[0]]
        ),
        lambda session: session.execute("select public.accept_invitation(%s)", [token]),
    )

    assert late is not None
    assert code(late) == "invitation_unknown"


@pytest.mark.parametrize(
    ("deletes_first", "job_type", "refused_as"),
    [
        (True, "PLAN", "not_found"),
        (False, "PLAN", None),
        (False, "DEPLOY", "vine_not_deletable"),
    ],
)
def test_a_team_is_deleted_before_or_after_a_job_is_queued(
    team: Team, deletes_first: bool, job_type: str, refused_as: str | None
) -> None:
    vine = team.vine()

    def delete(session: Connection) -> None:
        session.execute("select public.delete_account(%s)", [team.id])

    def enqueue(session: Connection) -> None:
        session.execute("select public.enqueue_job(%s, %s)", [vine, job_type])

    first, second = (team.session(owner) for owner in team.owners)
    act, then = (delete, enqueue) if deletes_first else (enqueue, delete)

    late = race(team.admin, first, second, act, then)

    assert (code(late) if late else None) == refused_as


def test_a_job_that_is_just_being_queued_and_the_deletion_of_its_team_do_not_lock_each_other_out(
    team: Team,
) -> None:
    vine = team.vine()
    lock: LiteralString = "select from vines where id = %s for update"
    enqueue: LiteralString = (
        "insert into provision_jobs (account_id, vine_id, job_type) values (%s, %s, 'PLAN')"
    )

    late = race(
        team.admin,
        team.session(),
        team.session(team.owners[0]),
        lambda session: session.execute(lock, [vine]),
        lambda session: session.execute("select public.delete_account(%s)", [team.id]),
        lambda session: session.execute(enqueue, [team.id, vine]),
    )

    assert late is None
    assert value(team.admin, "select count(*) from accounts where id = %s", team.id) == 0
