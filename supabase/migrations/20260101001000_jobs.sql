-- Jobs: one unit of work for a Tendril each, their life cycle, and what a job does to its vine and
-- components. How they are queued and leased is in the chapters after this one.

--------------------------------------------------------------------------------------------------
-- Tables
--------------------------------------------------------------------------------------------------

create table public.job_types (
  job_type text primary key,
  priority smallint not null,
  reads_only boolean not null,
  timeout_seconds integer not null check (timeout_seconds > 0),
  description text not null
);
comment on table public.job_types is 'What jobs there are, and how the queue treats each. Read by everyone, changed by migrations.';
comment on column public.job_types.priority is 'Lower goes first; within one priority the oldest.';
comment on column public.job_types.reads_only is 'Changes nothing in a cloud, so a lost one may simply run again.';
comment on column public.job_types.timeout_seconds is 'How long one may run unless its job says otherwise.';
insert into public.job_types (job_type, priority, reads_only, timeout_seconds, description) values
  ('CONNECTION_TEST', 1, true, 300, 'Tries cloud credentials and lists what they reach.'),
  ('FETCH_RESOURCES', 1, true, 600, 'Lists what exists in a cloud: networks, subnets, zones.'),
  ('BOOTSTRAP', 1, false, 3600, 'Prepares the infrastructure workspace.'),
  ('PLAN', 2, true, 3600, 'Shows what a DEPLOY would change.'),
  ('DEPLOY', 1, false, 14400, 'Makes the vine''s infrastructure what its configuration says.'),
  ('DESTROY', 1, false, 14400, 'Removes the vine''s infrastructure.'),
  ('DEPLOY_WORKER', 1, false, 3600, 'Makes the infrastructure of a Tendril.'),
  ('DESTROY_WORKER', 1, false, 3600, 'Removes the infrastructure of a Tendril.');

create table public.provision_jobs (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.accounts (id) on delete cascade,
  user_id uuid references auth.users (id) on delete set null,
  vineyard_id uuid references public.vineyards (id) on delete set null,
  vine_id uuid references public.vines (id) on delete cascade,
  cloud_identity_id uuid references public.cloud_identities (id) on delete set null,
  job_type text not null references public.job_types (job_type),
  priority smallint not null,
  status public.provision_job_status not null default 'QUEUED',
  worker_id uuid references public.workers (id) on delete set null,
  attempt integer not null default 0,
  error_message text,
  execution_metadata jsonb not null default '{}',
  vine_status_before public.vine_status,
  plan_job_id uuid references public.provision_jobs (id) on delete set null,
  context_sha256 text,
  approval_required boolean not null default false,
  approved_by uuid references auth.users (id) on delete set null,
  approved_at timestamptz,
  timeout_seconds integer not null,
  deadline timestamptz,
  idempotency_key text,
  cancel_requested_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  claimed_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  unique (user_id, idempotency_key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
comment on table public.provision_jobs is 'One unit of work for a Tendril.';
comment on column public.provision_jobs.account_id is 'Whose job it is: copied from its vineyard, so that policies and claims need no join.';
comment on column public.provision_jobs.user_id is 'Who asked for it.';
comment on column public.provision_jobs.vineyard_id is
  'Where its vine stood when it was asked for. A job goes with its vine; a vineyard alone takes none along.';
comment on column public.provision_jobs.worker_id is 'The Tendril that holds or held it.';
comment on column public.provision_jobs.attempt is 'Counts claims; part of the fence that every report must show.';
comment on column public.provision_jobs.execution_metadata is 'Terraform outputs, plan summary, cost and timing.';
comment on column public.provision_jobs.vine_status_before is 'What a cancelled DEPLOY gives back to its vine.';
comment on column public.provision_jobs.priority is 'Of its type; lower goes first.';
comment on column public.provision_jobs.plan_job_id is 'The PLAN whose saved plan a DEPLOY applies; null to plan anew.';
comment on column public.provision_jobs.context_sha256 is
  'Of what the Tendril of a PLAN or CONNECTION_TEST was told, but for secrets: what has another today is overtaken.';
comment on column public.provision_jobs.approval_required is 'Nobody claims it before it is approved.';
comment on column public.provision_jobs.approved_by is 'Who approved it.';
comment on column public.provision_jobs.timeout_seconds is 'How long it may run once started; that of its type unless given.';
comment on column public.provision_jobs.deadline is 'When the database steps in if the job has not moved on: not started, not ended, not stopped. Null while no Tendril has it.';
comment on column public.provision_jobs.created_at is 'Time of the call, not of its transaction: the order of the queue.';

-- of what a claim, a start or an end changes nothing is in an index, so that these write none: what must be
-- found by it is in private.open_jobs
create index provision_jobs_account_id_idx on public.provision_jobs (account_id, created_at desc);
create index provision_jobs_vine_id_idx on public.provision_jobs (vine_id, created_at desc);
create index provision_jobs_vineyard_id_idx on public.provision_jobs (vineyard_id);
create index provision_jobs_cloud_identity_id_idx on public.provision_jobs (cloud_identity_id);
create index provision_jobs_plan_job_id_idx on public.provision_jobs (plan_job_id) where plan_job_id is not null;
create index provision_jobs_approved_by_idx on public.provision_jobs (approved_by) where approved_by is not null;

--------------------------------------------------------------------------------------------------
-- Life cycle
--------------------------------------------------------------------------------------------------

-- bound when it is made and without a search_path, so that the planner puts it in the place of a call
create function private.next_job_statuses(p_from public.provision_job_status)
returns public.provision_job_status[]
language sql immutable
return case p_from
  when 'QUEUED' then '{CLAIMED,CANCELLED}'::public.provision_job_status[]
  -- back to QUEUED when its Tendril is lost before any harm is done
  when 'CLAIMED' then '{PROCESSING,QUEUED,FAILED,CANCELLED}'
  when 'PROCESSING' then '{SUCCESS,FAILED,CANCELLED,QUEUED}'
  else '{}'
end;
comment on function private.next_job_statuses is 'Every legal move of a job. For the guard and for tests.';

create function private.start_limit()
returns interval
language sql immutable set search_path = ''
as $$ select interval '5 minutes' $$;
comment on function private.start_limit is 'A job that is claimed and not started for so long goes back to the queue.';

create function private.stop_limit()
returns interval
language sql immutable set search_path = ''
as $$ select interval '10 minutes' $$;
comment on function private.stop_limit is
  'How long a job that was asked to stop may take; Terraform needs a while to save what it has made.';

create function private.tg_provision_jobs__guard()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'QUEUED' then
      perform private.raise_error('illegal_transition', 'job', 'nothing', new.status::text);
    end if;
    select t.priority, coalesce(new.timeout_seconds, t.timeout_seconds) into new.priority, new.timeout_seconds
    from public.job_types as t where t.job_type = new.job_type;
    return new;
  elsif new.status <> old.status then
    if not new.status = any (private.next_job_statuses(old.status)) then
      perform private.raise_error('illegal_transition', 'job', old.status::text, new.status::text);
    end if;
    new.deadline := now() + case new.status
      when 'CLAIMED' then private.start_limit()
      when 'PROCESSING' then make_interval(secs => new.timeout_seconds)
    end;
  elsif old.deadline is not null and old.cancel_requested_at is null and new.cancel_requested_at is not null then
    new.deadline := new.cancel_requested_at + private.stop_limit();
  end if;
  -- as tg_set_updated_at does: each trigger more would cost every step of a job
  new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
  return new;
end;
$$;
comment on function private.tg_provision_jobs__guard is
  'Holds the moves of jobs, gives a new one what its type says, and keeps the deadline and updated_at.';

create trigger guard
before insert or update on public.provision_jobs
for each row execute function private.tg_provision_jobs__guard();

create function private.tg_vines__lock_jobs()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- the vine is locked by now, so to wait for a job would be against the order of locks
  perform private.raise_error('vine_busy', private.vine_label(old), j.job_type)
  from public.provision_jobs as j
  where j.vine_id = old.id and j.id <> all (array(
    select l.id from public.provision_jobs as l where l.vine_id = old.id for update skip locked
  ))
  limit 1;
  return old;
end;
$$;
comment on function private.tg_vines__lock_jobs is
  'Locks the jobs that go with a vine; refuses where somebody is at one of them this moment.';

create trigger lock_jobs
before delete on public.vines
for each row execute function private.tg_vines__lock_jobs();

create function private.tg_cloud_identities__guard_jobs()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- with its account everything goes; else what runs or waits would be left without credentials, and to wait
  -- for the end of a test, which says whether the identity is verified, would be against the order of locks
  if exists (select from public.accounts where id = old.account_id) then
    perform private.raise_error('cloud_identity_busy', old.name, j.job_type)
    from public.provision_jobs as j
    where j.cloud_identity_id = old.id and j.status in ('QUEUED', 'CLAIMED', 'PROCESSING')
    limit 1;
  end if;
  return old;
end;
$$;
comment on function private.tg_cloud_identities__guard_jobs is 'An identity stays while a job of it has not ended.';

create trigger guard_jobs
before delete on public.cloud_identities
for each row execute function private.tg_cloud_identities__guard_jobs();

create function private.move_components(
  p_vine_id uuid, p_from public.component_status[], p_to public.component_status
)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_kind private.component_kinds;
begin
  for v_kind in select k.* from private.component_kinds as k where private.has_status(k) loop
    execute format('update %s set status = $3 where vine_id = $1 and status = any ($2)', v_kind.table_name)
    using p_vine_id, p_from, p_to;
  end loop;
end;
$$;
comment on function private.move_components is 'Moves a vine''s components together. For the job functions.';

create function private.move_changed_components(p_vine_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_kind private.component_kinds;
begin
  for v_kind in select k.* from private.component_kinds as k where private.has_status(k) loop
    execute format(
      'update %s as c set status = ''UPDATING'' where c.vine_id = $1 and ('
      '  c.status = ''ACTIVE'' and not exists ('
      '    select from private.deployed_configs as d'
      '    where d.component_id = c.id and d.config = private.client_config($2, to_jsonb(c)))'
      '  or c.status = ''FAILED'' and exists ('
      '    select from private.deployed_configs as d where d.component_id = c.id and d.is_provisioned))', v_kind.table_name)
    using p_vine_id, v_kind;
    execute format(
      'insert into private.deployed_configs (component_id, vine_id, config) '
      'select c.id, c.vine_id, private.client_config($2, to_jsonb(c)) from %s as c where c.vine_id = $1 '
      'on conflict (component_id) do update set config = excluded.config', v_kind.table_name)
    using p_vine_id, v_kind;
  end loop;
end;
$$;
comment on function private.move_changed_components is
  'ACTIVE components that differ from what was deployed go to UPDATING, FAILED ones that had been ACTIVE too, and what '
  'is deployed now is noted. For start_job.';

create function private.clear_outputs(p_vine_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_kind private.component_kinds;
begin
  for v_kind in select k.* from private.component_kinds as k where cardinality(k.output_columns) > 0 loop
    execute (
      -- a column that the client has set, as the id of a network that stood before, is no output
      select format('update %s as c set %s where vine_id = $1', v_kind.table_name,
        string_agg(format('%1$I = case when private.client_config($2, to_jsonb(c)) ? %1$L then %1$I end', o.name), ', '))
      from unnest(v_kind.output_columns) as o (name)
    ) using p_vine_id, v_kind;
  end loop;
end;
$$;
comment on function private.clear_outputs is 'What was populated after provisioning is no more. For the end of a DESTROY.';

create function private.fill_in_outputs(p_vine_id uuid, p_outputs jsonb)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_kind private.component_kinds;
  v_source text;
begin
  for v_kind in select k.* from private.component_kinds as k where cardinality(k.output_columns) > 0 loop
    -- a singleton's outputs stand under its key, those of the others under their names
    v_source := case when v_kind.is_singleton then '$2' else '($2 -> name)' end;
    execute (
      -- a column that the client has set, as the id of a network that stood before, is no output
      select format('update %s as c set %s where vine_id = $1 and %s is not null', v_kind.table_name,
        string_agg(format(
          '%1$I = case when private.client_config($3, to_jsonb(c)) ? %1$L then %1$I else coalesce(%2$s ->> %1$L, %1$I) end',
          o.name, v_source), ', '), v_source)
      from unnest(v_kind.output_columns) as o (name)
    ) using p_vine_id, p_outputs -> v_kind.manifest_key, v_kind;
  end loop;
end;
$$;
comment on function private.fill_in_outputs is
  'Writes Terraform''s outputs into the columns that are populated after provisioning. For complete_job.';

create function private.public_outputs(p_outputs jsonb)
returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_path text[];
begin
  for v_path in
    select array[k.manifest_key, e.column_name::text]
    from private.component_kinds as k join private.encrypted_columns as e on e.table_name = k.table_name
    where k.is_singleton and jsonb_typeof(p_outputs -> k.manifest_key) = 'object'
  loop
    p_outputs := p_outputs #- v_path;
  end loop;
  return p_outputs;
end;
$$;
comment on function private.public_outputs is
  'The outputs without those that fill in an encrypted column: everyone reads a job''s metadata. For complete_job.';

create function private.settle_job(p_job public.provision_jobs, p_status public.provision_job_status)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- the trigger that keeps the open jobs has locked the vine: before its components, as everyone does, and so that who
  -- edits one of them is not held up by it
  if p_job.job_type = 'DEPLOY' then
    if p_job.started_at is null then
      update public.vines set status = p_job.vine_status_before where id = p_job.vine_id;
    else
      perform private.move_components(p_job.vine_id, '{CREATING,UPDATING}',
        case when p_status = 'SUCCESS' then 'ACTIVE' else 'FAILED' end::public.component_status);
      update public.vines
      set status = case when p_status = 'SUCCESS' then 'ACTIVE' else 'FAILED' end::public.vine_status
      where id = p_job.vine_id;
      if p_status = 'SUCCESS' then
        update private.deployed_configs set is_provisioned = true where vine_id = p_job.vine_id and not is_provisioned;
      end if;
    end if;
  elsif p_job.job_type = 'DESTROY' and p_job.started_at is not null then
    perform private.move_components(p_job.vine_id, '{DESTROYING}',
      case when p_status = 'SUCCESS' then 'DESTROYED' else 'FAILED' end::public.component_status);
    if p_status = 'SUCCESS' then
      perform private.clear_outputs(p_job.vine_id);
      delete from private.deployed_configs where vine_id = p_job.vine_id;
    end if;
    update public.vines
    set status = case when p_status = 'SUCCESS' then 'DESTROYED' else 'FAILED' end::public.vine_status
    where id = p_job.vine_id;
  elsif p_job.job_type = 'CONNECTION_TEST' and p_job.started_at is not null then
    perform private.settle_identity(p_job, p_status);
  end if;
  if p_job.plan_job_id is not null and p_job.started_at is not null then
    perform private.settle_plan(p_job, p_status);
  end if;
end;
$$;
comment on function private.settle_job is
  'What a job''s end does to its vine and components, its cloud identity, and the plan that it applied. A DEPLOY that '
  'never started gives the vine back as it was.';

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.job_types enable row level security;
create policy job_types_select on public.job_types for select to authenticated using (true);
grant select on public.job_types to authenticated, service_role;

create function private.held_job_ids()
returns setof uuid
language plpgsql stable security definer set search_path = ''
as $$
begin
  return query select o.job_id from private.open_jobs as o where o.worker_id = private.current_user_id();
end;
$$;
comment on function private.held_job_ids is 'The jobs that the calling Tendril holds. For the policy: = any(array(select …)).';
grant execute on function private.held_job_ids to authenticated;

alter table public.provision_jobs enable row level security;
create policy provision_jobs_select on public.provision_jobs for select to authenticated
using (
  account_id = any (array(select * from private.account_ids('viewer')))
  or id = any (array(select private.held_job_ids()))
);
comment on policy provision_jobs_select on public.provision_jobs is
  'Members of its account see a job, and the Tendril that holds it while it does.';
grant select on public.provision_jobs to authenticated, service_role;
