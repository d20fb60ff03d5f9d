-- Open jobs: every job that has not ended, and what it waits for. A claim looks here and nowhere else, so that
-- it costs the same with a million jobs queued, or a hundred thousand of them behind one busy vine. Whatever
-- changes while a job is open is indexed here alone; in provision_jobs, which keeps every job that ever was, a
-- change of status writes no index at all.
--
-- A vine has one turn: one of its jobs runs, or may be claimed. Who gives the turn to another holds the vine's
-- lock first, then the row's, and looks afresh; a claim takes the row alone and waits for nothing, so it is in
-- nobody's way.

create type private.job_wait as enum ('approval', 'vine', 'tendril');
comment on type private.job_wait is
  'What a queued job waits for: an approval, a vine whose other job goes first, a Tendril that is free.';

create table private.open_jobs (
  job_id uuid primary key,
  vine_id uuid,
  account_id uuid not null,
  priority smallint not null,
  created_at timestamptz not null,
  waiting_on private.job_wait,
  worker_id uuid,
  deadline timestamptz
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
comment on table private.open_jobs is 'The jobs that have not ended, as the queue needs them. Kept by triggers of provision_jobs.';
comment on column private.open_jobs.job_id is
  'No foreign key: its check would lock the job after the vine, against the order of locks.';
comment on column private.open_jobs.waiting_on is 'Null while it runs.';
create unique index open_jobs_turn_idx on private.open_jobs (vine_id) where waiting_on is null or waiting_on = 'tendril';
create index open_jobs_claim_idx on private.open_jobs (account_id, priority, created_at) where waiting_on = 'tendril';
create index open_jobs_line_idx on private.open_jobs (vine_id, priority, created_at, job_id);
create index open_jobs_worker_id_idx on private.open_jobs (worker_id) where worker_id is not null;
create index open_jobs_deadline_idx on private.open_jobs (deadline) where deadline is not null;

alter table private.open_jobs enable row level security;

create function private.tg_provision_jobs__keep_open()
returns trigger
language plpgsql volatile security definer set search_path = ''
-- its plans are made once a session and must hold when a small queue has become a large one
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
  v_was private.job_wait;
  v_next private.open_jobs;
begin
  if new.status in ('CLAIMED', 'PROCESSING') then
    update private.open_jobs
    set waiting_on = null, worker_id = new.worker_id, deadline = new.deadline
    where job_id = new.id;
    return null;
  elsif old.completed_at is not null
    or (new.status, new.approval_required, new.approved_at)
      is not distinct from (old.status, old.approval_required, old.approved_at) then
    -- of a job that has ended nothing here changes, nor is a vine locked where a write changes nothing
    return null;
  end if;
  perform from public.vines where id = new.vine_id for no key update;
  if new.status = 'QUEUED' then
    insert into private.open_jobs (job_id, vine_id, account_id, priority, created_at, waiting_on)
    values (new.id, new.vine_id, new.account_id, new.priority, new.created_at, case
      when new.approval_required and new.approved_at is null then 'approval'
      when new.vine_id is null then 'tendril'
      else 'vine'
    end::private.job_wait)
    on conflict (job_id) do update
    set waiting_on = excluded.waiting_on, worker_id = null, deadline = null;
    -- a claim of this vine that is under way ends before the looks after this one
    select * into v_next from private.open_jobs where vine_id = new.vine_id and waiting_on = 'tendril' for update;
    if (new.priority, new.created_at, new.id) < (v_next.priority, v_next.created_at, v_next.job_id) then
      update private.open_jobs set waiting_on = 'vine' where job_id = v_next.job_id;
    end if;
    if new.vine_id is null then
      perform private.wake_tendrils(new.account_id);
      return null;
    elsif exists (
      select from private.open_jobs where vine_id = new.vine_id and (waiting_on is null or waiting_on = 'tendril')
    ) then
      return null;
    end if;
  else
    delete from private.open_jobs where job_id = new.id returning waiting_on into v_was;
    if v_was in ('approval', 'vine') then
      return null;
    end if;
  end if;
  -- nobody has the turn
  update private.open_jobs set waiting_on = 'tendril'
  where job_id = (
    select job_id from private.open_jobs
    where vine_id = new.vine_id and waiting_on = 'vine'
    order by priority, created_at, job_id
    limit 1
  );
  if found then
    perform private.wake_tendrils(new.account_id);
  end if;
  return null;
end;
$$;
comment on function private.tg_provision_jobs__keep_open is
  'Keeps private.open_jobs right whenever a job is queued, approved, claimed, started, given back or ended, and gives a '
  'vine''s turn to the best of its waiting jobs once no other has it, which Tendrils are told.';

-- without a condition, which PostgreSQL would read anew for every change of a job
create trigger keep_open
after insert or update of status, cancel_requested_at, deadline, worker_id, approval_required, approved_at on public.provision_jobs
for each row execute function private.tg_provision_jobs__keep_open();

create function private.tg_provision_jobs__close()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  delete from private.open_jobs where job_id = old.id;
  return null;
end;
$$;
comment on function private.tg_provision_jobs__close is
  'A job that is deleted is open no more. Its vine goes with it: nothing deletes an open job alone.';

create trigger close
after delete on public.provision_jobs
for each row when (old.completed_at is null)
execute function private.tg_provision_jobs__close();

--------------------------------------------------------------------------------------------------
-- What a job waits for
--------------------------------------------------------------------------------------------------

create function private.waiting_on(p_job_id uuid)
returns text
language sql stable security definer set search_path = ''
as $$
  select o.waiting_on
  from private.open_jobs as o
  where o.job_id = p_job_id
    and (
      o.account_id = any (array(select * from private.account_ids('viewer')))
      -- who is in the database itself shows no token
      or coalesce(auth.jwt() ->> 'role', 'service_role') = 'service_role'
    )
$$;
comment on function private.waiting_on is
  'See public.waiting_on. For who may see the job: the row that public.waiting_on is given may be made up.';
grant execute on function private.waiting_on to authenticated, service_role;

create function public.waiting_on(p_job public.provision_jobs)
returns text
language sql stable set search_path = ''
as $$ select private.waiting_on(p_job.id) $$;
comment on function public.waiting_on is
  'What a queued job waits for: an approval, a vine whose other job goes first, or a tendril that is free; null once it '
  'is claimed. A computed field: select=*,waiting_on. For whoever sees the job.';
grant execute on function public.waiting_on to authenticated, service_role;
