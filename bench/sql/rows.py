"""Vintner's rows in bulk: people, vines, components and jobs, past triggers and policies.

The only module that names columns; what is measured is called by its public name elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

Admin = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Person:
    """A user.

    Attributes:
        id: the auth user.
        account: the personal account.
    """

    id: UUID
    account: UUID


@contextmanager
def past_triggers(admin: Admin) -> Iterator[None]:
    """Rows written inside are taken as they are."""
    admin.execute("set session_replication_role = replica")
    try:
        yield
    finally:
        admin.execute("set session_replication_role = origin")


def sign_up(admin: Admin, people: int) -> list[Person]:
    """Makes users with their personal accounts, as a sign-up does."""
    made = admin.execute(
        """
        insert into auth.users (
          instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
          confirmation_token, recovery_token, email_change, email_change_token_new,
          raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
        select '00000000-0000-0000-0000-000000000000', u.id, 'authenticated', 'authenticated',
               u.id || '@example.com', 'x', now(), '', '', '', '', '{}', '{}', now(), now()
        from (select gen_random_uuid() as id from generate_series(1, %s)) as u
        returning id
        """,
        [people],
    ).fetchall()
    rows = admin.execute(
        "select personal_user_id, id from public.accounts where personal_user_id = any (%s)",
        [[user for (user,) in made]],
    ).fetchall()
    return [Person(user, account) for user, account in rows]


def join(admin: Admin, person: Person, accounts: list[UUID]) -> None:
    """Makes someone a viewer of accounts."""
    with past_triggers(admin):
        admin.execute(
            "insert into public.accounts_memberships (account_id, user_id, role) "
            "select a, %s, 'viewer' from unnest(%s::uuid[]) as a",
            [person.id, accounts],
        )


def plant(admin: Admin, people: list[Person], vineyards: int, vines: int) -> None:
    """Gives each person vineyards, and each vineyard vines, none with components."""
    with past_triggers(admin):
        admin.execute(
            """
            insert into public.vineyards (account_id, user_id, name)
            select p.account_id, p.user_id, 'vineyard ' || n
            from unnest(%s::uuid[], %s::uuid[]) as p (account_id, user_id),
                 generate_series(1, %s) as n
            """,
            [[p.account for p in people], [p.id for p in people], vineyards],
        )
        admin.execute(
            """
            insert into public.vines (user_id, vineyard_id, account_id, project_name, region)
            select y.user_id, y.id, y.account_id, 'vine-' || n, 'eu-west-1'
            from public.vineyards as y, generate_series(1, %s) as n
            where y.account_id = any (%s)
            """,
            [vines, [p.account for p in people]],
        )


def add_queues(admin: Admin, each: int) -> int:
    """Gives every vine so many message queues, which are components; returns how many there are."""
    with past_triggers(admin):
        admin.execute(
            "insert into public.vine_queues (vine_id, account_id, name) "
            "select v.id, v.account_id, 'queue-' || n "
            "from public.vines as v, generate_series(1, %s) as n",
            [each],
        )
    return int(_value(admin, "select count(*) from public.vine_queues"))


def empty_queue(admin: Admin) -> None:
    """Removes every job with what speaks of it."""
    admin.execute("truncate public.provision_jobs cascade")
    admin.execute("truncate private.open_jobs")


def open_jobs(admin: Admin) -> None:
    """Does what the triggers would have: notes the jobs that have not ended, and the turns."""
    admin.execute("truncate private.open_jobs")
    admin.execute("""
        insert into private.open_jobs (
          job_id, vine_id, account_id, priority, created_at, waiting_on, worker_id, deadline)
        select j.id, j.vine_id, j.account_id, j.priority, j.created_at,
               case
                 when j.status <> 'QUEUED' then null
                 when row_number() over (
                   partition by j.vine_id
                   order by j.status = 'QUEUED', j.priority, j.created_at, j.id
                 ) = 1 then 'tendril'
                 else 'vine'
               end::private.job_wait, j.worker_id, j.deadline
        from public.provision_jobs as j
        where j.completed_at is null
        order by j.created_at
        """)


def settle(admin: Admin) -> None:
    """Brings the planner's statistics up to date."""
    admin.execute("vacuum analyze public.provision_jobs, private.open_jobs")


JOBS: LiteralString = """
    insert into public.provision_jobs (
      account_id, user_id, vineyard_id, vine_id, job_type, priority, timeout_seconds, status,
      attempt, created_at, claimed_at, started_at, completed_at)
    select v.account_id, v.user_id, v.vineyard_id, v.id, t.job_type, t.priority, t.timeout_seconds,
           k.status, k.attempt, k.created_at, k.ended_at, k.ended_at, k.ended_at
    from (select v.*, row_number() over (order by v.id) - 1 as number, count(*) over () as vines
          from public.vines as v where v.account_id = %(account)s) as v
    cross join (select * from public.job_types where job_type = 'PLAN') as t
    cross join lateral (
      select 'SUCCESS'::public.provision_job_status as status, 1 as attempt,
             now() - interval '10 days' + n * interval '1 ms' as created_at,
             now() - interval '9 days' + n * interval '1 ms' as ended_at
      from generate_series(v.number, %(finished)s - 1, v.vines) as n
      union all
      select 'QUEUED', 0, now() + n * interval '1 us', null
      from generate_series(v.number, %(queued)s - 1, v.vines) as n
    ) as k
    order by k.created_at
"""


def add_jobs(admin: Admin, account: UUID, queued: int, finished: int = 0) -> None:
    """Adds PLANs that take turns among an account's vines; the queued ones stand behind others."""
    with past_triggers(admin):
        admin.execute(JOBS, {"account": account, "queued": queued, "finished": finished})
    open_jobs(admin)


def queue_behind_one_vine(admin: Admin, account: UUID, jobs: int) -> None:
    """Adds jobs of one vine that stand before all others of the queue, the first one running."""
    with past_triggers(admin):
        admin.execute(
            """
            insert into public.provision_jobs (
              account_id, user_id, vineyard_id, vine_id, job_type, priority, timeout_seconds,
              status, attempt, worker_id, created_at, claimed_at, started_at, deadline)
            select v.account_id, v.user_id, v.vineyard_id, v.id, t.job_type, t.priority,
                   t.timeout_seconds, k.status, k.attempt, k.worker_id,
                   now() - interval '1 day' + k.n * interval '1 ms', k.since, k.since,
                   k.since
            from (select * from public.vines
                  where account_id = %(account)s order by id limit 1) as v
            cross join (select * from public.job_types where job_type = 'PLAN') as t
            cross join lateral (
              select 0 as n, 'PROCESSING'::public.provision_job_status as status, 1 as attempt,
                     (select id from public.workers order by id limit 1) as worker_id,
                     -- in the future, so that nobody sweeps it meanwhile
                     now() + interval '1 day' as since
              union all
              select n, 'QUEUED', 0, null, null from generate_series(1, %(jobs)s) as n
            ) as k
            """,
            {"account": account, "jobs": jobs},
        )
    open_jobs(admin)


def act_as(session: psycopg.Connection[Any], user: UUID) -> None:
    """Makes a session speak as a user until it closes, with the claims the Data API would set."""
    claims = Jsonb({"sub": str(user), "role": "authenticated", "aud": "authenticated"})
    session.cursor().execute("select set_config('request.jwt.claims', $1::text, false)", [claims])
    session.cursor().execute("set role authenticated")


def act_as_service(session: psycopg.Connection[Any]) -> None:
    """Makes a session speak as service_role until it closes."""
    session.execute(
        """select set_config('request.jwt.claims', '{"role": "service_role"}', false)"""
    )
    session.execute("set role service_role")


def _value(admin: Admin, query: LiteralString) -> Any:
    row = admin.execute(query).fetchone()
    assert row is not None
    return row[0]
