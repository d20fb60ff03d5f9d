-- Next jobs: which job of each vine may be claimed now. A claim looks here and nowhere else, so that it
-- costs the same with a million jobs queued, or a hundred thousand of them behind one busy vine.
--
-- A vine that runs no job has one row, for the best of its queued jobs that wait for no approval; a busy
-- one has none. Whoever changes that holds the vine's lock first, then the row's, and looks afresh; a
-- claim takes the row alone and waits for nothing, so it is in nobody's way.

create table private.next_jobs (
  job_id uuid primary key,
  vine_id uuid unique,
  account_id uuid not null,
  priority smallint not null,
  created_at timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
comment on table private.next_jobs is
  'The jobs that may be claimed now: one of each vine at rest, and those that belong to no vine.';
comment on column private.next_jobs.job_id is
  'No foreign key: its check would lock the job after the vine, against the order of locks.';
create index next_jobs_queue_idx on private.next_jobs (account_id, priority, created_at, job_id);

alter table private.next_jobs enable row level security;

create function private.line_up(p_job public.provision_jobs)
returns void
language plpgsql volatile security definer set search_path = ''
-- its plans are made once a session and must hold when a small queue has become a large one
set enable_seqscan = off set enable_bitmapscan = off
as $$
declare
  v_next public.provision_jobs;
begin
  if p_job.vine_id is null then
    delete from private.next_jobs where job_id = p_job.id;
    insert into private.next_jobs (job_id, account_id, priority, created_at)
    select p_job.id, p_job.account_id, p_job.priority, p_job.created_at
    where p_job.status = 'QUEUED' and (not p_job.approval_required or p_job.approved_at is not null);
    return;
  end if;
  perform from public.vines where id = p_job.vine_id for no key update;
  -- a claim of this vine that is under way ends before the look below
  perform from private.next_jobs where vine_id = p_job.vine_id for update;
  select j.* into v_next
  from public.provision_jobs as j
  where j.vine_id = p_job.vine_id
    and j.status = 'QUEUED'
    and (not j.approval_required or j.approved_at is not null)
    and not exists (
      select from public.provision_jobs as r
      where r.vine_id = p_job.vine_id and r.status in ('CLAIMED', 'PROCESSING')
    )
  order by j.priority, j.created_at, j.id
  limit 1;
  if not found then
    delete from private.next_jobs where vine_id = p_job.vine_id;
    return;
  end if;
  insert into private.next_jobs as n (job_id, vine_id, account_id, priority, created_at)
  values (v_next.id, v_next.vine_id, v_next.account_id, v_next.priority, v_next.created_at)
  on conflict (vine_id) do update
  set job_id = excluded.job_id, account_id = excluded.account_id, priority = excluded.priority,
      created_at = excluded.created_at
  where n.job_id <> excluded.job_id;
end;
$$;
comment on function private.line_up is 'Sets what is next of a job''s vine, or of the job that has none. For the triggers below.';

create function private.tg_provision_jobs__line_up()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.line_up(new);
  return null;
end;
$$;
comment on function private.tg_provision_jobs__line_up is
  'Keeps private.next_jobs right whenever a job is queued, approved, given back or ended. A claim does so itself.';

create trigger line_up_new
after insert on public.provision_jobs
for each row execute function private.tg_provision_jobs__line_up();

create trigger line_up
after update of status, approval_required, approved_at on public.provision_jobs
for each row
when (
  (new.status <> old.status and new.status not in ('CLAIMED', 'PROCESSING'))
  or (new.approval_required, new.approved_at) is distinct from (old.approval_required, old.approved_at)
)
execute function private.tg_provision_jobs__line_up();

create function private.tg_provision_jobs__step_out()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  delete from private.next_jobs where job_id = old.id;
  return null;
end;
$$;
comment on function private.tg_provision_jobs__step_out is
  'A job that is deleted goes out of the line. Its vine goes with it: nothing deletes a queued job alone.';

create trigger step_out
after delete on public.provision_jobs
for each row when (old.status = 'QUEUED')
execute function private.tg_provision_jobs__step_out();

--------------------------------------------------------------------------------------------------
-- What a job waits for
--------------------------------------------------------------------------------------------------

create function private.is_next(p_job_id uuid)
returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select from private.next_jobs as n
    where n.job_id = p_job_id
      and (
        n.account_id = any (array(select private.account_ids('viewer')))
        -- who is in the database itself shows no token
        or coalesce(auth.jwt() ->> 'role', 'service_role') = 'service_role'
      )
  )
$$;
comment on function private.is_next is
  'Whether a job may be claimed now, for who may see it: the row that waiting_on is given may be made up. For waiting_on.';
grant execute on function private.is_next to authenticated, service_role;

create function public.waiting_on(p_job public.provision_jobs)
returns text
language sql stable set search_path = ''
as $$
  select case
    when p_job.status <> 'QUEUED' then null
    when p_job.approval_required and p_job.approved_at is null then 'approval'
    when private.is_next(p_job.id) then 'tendril'
    else 'vine'
  end
$$;
comment on function public.waiting_on is
  'What a queued job waits for: an approval, a vine whose other job goes first, or a tendril that is free; null once it '
  'is claimed. A computed field: select=*,waiting_on. For whoever sees the job.';
grant execute on function public.waiting_on to authenticated, service_role;
