"""A yard with vines, jobs and Tendrils, and what must be true of its queue at any moment."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from support.sessions import Connection, act_as, value

TENDRIL: LiteralString = """
with made as (
  insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, confirmation_token, recovery_token,
    email_change, email_change_token_new, raw_app_meta_data, raw_user_meta_data
  )
  select '00000000-0000-0000-0000-000000000000', id, 'authenticated', 'authenticated',
         id || '@tendril.invalid', 'x', '', '', '', '', '{"kind": "tendril"}', '{}'
  from (select gen_random_uuid() as id) as fresh
  returning id
)
insert into public.workers (id, user_id, name, mode, status, token_hash, last_heartbeat)
select id, %s, 'tendril-' || id, %s, 'ONLINE', 'x', now() from made
returning id
"""
"""Without a password, whose hash would take longer than a whole test."""

JOBS: LiteralString = """
insert into public.provision_jobs (
  account_id, user_id, vineyard_id, vine_id, cloud_identity_id, job_type, vine_status_before
)
select y.account_id, v.user_id, v.vineyard_id, v.id, v.cloud_identity_id, 'PLAN', v.status
from public.vines as v
join public.vineyards as y on y.id = v.vineyard_id
cross join generate_series(1, %s) as n
where v.id = any (%s)
order by n, v.id
"""

RUNNING: LiteralString = "('CLAIMED', 'PROCESSING')"
BROKEN: tuple[LiteralString, ...] = (
    # private.open_jobs is just what follows from the jobs: one of a vine has the turn, if any may
    """
    with wanted as (
      select j.id, j.vine_id, j.account_id, j.priority, j.created_at, j.worker_id, j.deadline, case
        when j.status <> 'QUEUED' then null
        when j.approval_required and j.approved_at is null then 'approval'
        when j.vine_id is null or j.id = (
          select o.id from mine as o
          where o.vine_id = j.vine_id and o.completed_at is null
            and not (o.status = 'QUEUED' and o.approval_required and o.approved_at is null)
          order by o.status = 'QUEUED', o.priority, o.created_at, o.id
          limit 1
        ) then 'tendril'
        else 'vine'
      end::private.job_wait as waiting_on
      from mine as j
      where j.completed_at is null
    ), kept as (
      select o.job_id, o.vine_id, o.account_id, o.priority, o.created_at, o.worker_id, o.deadline,
             o.waiting_on
      from private.open_jobs as o where o.account_id = (select id from account)
    )
    select 'out of line: ' || x.id from (
      (table wanted except table kept) union all (table kept except table wanted)
    ) as x
    """,
    f"""
    select 'two run: ' || vine_id from mine where status in {RUNNING} and vine_id is not null
    group by vine_id having count(*) > 1
    """,
    f"""
    select 'no true lease: ' || id from mine
    where (status in {RUNNING}) <> (deadline is not null)
      or (status in {RUNNING} and (worker_id is null or claimed_at is null or attempt = 0))
      or (status = 'PROCESSING' and started_at is null)
      or (status = 'CLAIMED' and started_at is not null)
      or (status = 'QUEUED' and num_nonnulls(worker_id, claimed_at, started_at) > 0)
      or (status in ('SUCCESS', 'FAILED', 'CANCELLED')) <> (completed_at is not null)
      or attempt > 3
    """,
    """
    select 'vine and jobs disagree: ' || v.id || ' ' || v.status
    from public.vines as v
    join public.vineyards as y on y.id = v.vineyard_id and y.account_id = (select id from account)
    where v.status in ('QUEUED', 'PROVISIONING', 'DESTROYING')
      <> exists (select from mine as j where j.vine_id = v.id and case v.status
        when 'QUEUED' then j.job_type = 'DEPLOY' and j.status in ('QUEUED', 'CLAIMED')
        when 'PROVISIONING' then j.job_type = 'DEPLOY' and j.status = 'PROCESSING'
        when 'DESTROYING' then j.job_type = 'DESTROY' and j.status = 'PROCESSING'
        else (j.job_type = 'DEPLOY' and j.status in ('QUEUED', 'CLAIMED', 'PROCESSING'))
          or (j.job_type = 'DESTROY' and j.status = 'PROCESSING')
      end)
    """,
    f"""
    select 'no Tendril can end it: ' || j.id
    from mine as j join public.workers as w on w.id = j.worker_id
    where j.status in {RUNNING} and w.status = 'OFFLINE'
    """,
)


class Yard:
    """An account of its own, with a session that looks on as superuser.

    Attributes:
        admin: that session, in autocommit.
        owner: the account's only member at first.
        account: its id.
    """

    def __init__(self, url: str, stack: ExitStack) -> None:
        self._url = url
        self._stack = stack
        self.admin: Connection = self._connect()
        self.owner: UUID = value(self.admin, "select tests.sign_up('owner')")
        of_owner: LiteralString = "select id from public.accounts where personal_user_id = %s"
        self.account: UUID = value(self.admin, of_owner, self.owner)

    def _connect(self, *, autocommit: bool = True) -> Connection:
        return self._stack.enter_context(psycopg.connect(self._url, autocommit=autocommit))

    def session(self, user: UUID, *, autocommit: bool = True) -> Connection:
        """A session as this user."""
        session = self._connect(autocommit=autocommit)
        act_as(session, user)
        if not autocommit:
            session.commit()
        return session

    def vine(self) -> UUID:
        """A vine in DRAFT, in a vineyard of its own."""
        made: UUID = value(self.admin, "select tests.plant(%s)", self.owner)
        return made

    def tendril(self, mode: str = "self-hosted") -> UUID:
        """A Tendril of the owner's that is ONLINE."""
        made: UUID = value(self.admin, TENDRIL, self.owner, mode)
        return made

    def plans(self, vines: list[UUID], each: int = 1) -> None:
        """Queues so many PLANs of each vine, one of each in turn."""
        self.admin.execute(JOBS, [each, vines])

    def enqueue(self, vine: UUID, job_type: str = "PLAN", key: str | None = None) -> UUID:
        """Queues a job as the owner would."""
        enqueue: LiteralString = "select (public.enqueue_job(%s, %s, %s)).id"
        made: UUID = value(self.session(self.owner), enqueue, vine, job_type, key)
        return made

    def job(self, job_id: UUID, column: LiteralString = "status") -> Any:
        """A column of a job."""
        query: LiteralString = f"select {column} from public.provision_jobs where id = %s"
        return value(self.admin, query, job_id)

    def statuses(self) -> dict[str, int]:
        """How many jobs there are of each status."""
        count: LiteralString = (
            "select status::text, count(*)::int from public.provision_jobs "
            "where account_id = %s group by 1"
        )
        return dict(self.admin.execute(count, [self.account]).fetchall())

    def pass_time(self, seconds: float, worker: UUID | None = None) -> None:
        """Sets back the times of a Tendril, or of all, and of the jobs they hold."""
        self.admin.execute(
            "update public.workers set last_heartbeat = last_heartbeat - make_interval(secs => %s) "
            "where user_id = %s and (%s::uuid is null or id = %s)",
            [seconds, self.owner, worker, worker],
        )
        self.admin.execute(
            "update public.provision_jobs as j "
            "set claimed_at = claimed_at - t, started_at = started_at - t, "
            "deadline = deadline - t, cancel_requested_at = cancel_requested_at - t "
            "from make_interval(secs => %s) as t "
            "where account_id = %s and completed_at is null "
            "and (%s::uuid is null or worker_id = %s)",
            [seconds, self.account, worker, worker],
        )

    def cancel_all(self) -> None:
        """Ends what is queued, which would be any cloud-hosted Tendril's to claim."""
        self.admin.execute(
            "update public.provision_jobs set status = 'CANCELLED', completed_at = now() "
            "where account_id = %s and status = 'QUEUED'",
            [self.account],
        )

    def sweep(self) -> None:
        """Has what is due resolved, also where another test's session is at it just now."""
        self.admin.execute("select private.sweep()")
        self.admin.execute(
            "select from public.workers where user_id = %s for share", [self.owner]
        ).fetchall()
        self.admin.execute("select private.sweep()")

    def broken(self) -> list[str]:
        """What is not as it must be."""
        return broken(self.admin, self.account)


def broken(session: Connection, account: UUID) -> list[str]:
    """What is not as it must be in an account's queue, in one look."""
    query: LiteralString = (
        "with account as (select %s::uuid as id), mine as materialized ("
        "select * from public.provision_jobs where account_id = (select id from account)) "
        + " union all ".join(f"select * from ({rule}) as q (what)" for rule in BROKEN)
    )
    return [row[0] for row in session.execute(query, [account]).fetchall()]


def claim(session: Connection, tendril: UUID) -> tuple[UUID, int] | None:
    """Claims a job; its id and attempt."""
    query: LiteralString = "select id, attempt from public.claim_next_job(%s)"
    row = session.execute(query, [tendril]).fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])
