-- Leases: what Tendrils say of jobs, and what becomes of a job whose Tendril is lost.
--
-- A claim is a lease: it lasts while the Tendril's heartbeats name the job. Its fence is the worker
-- (who is calling) and the attempt; each later report must show both, so what a lost worker says
-- afterwards is refused. Locks are taken in one order: workers, jobs, vines.

--------------------------------------------------------------------------------------------------
-- Lost Tendrils
--------------------------------------------------------------------------------------------------

create function private.resolve_lost_job(p_job public.provision_jobs)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_reads_only constant boolean := p_job.job_type in ('PLAN', 'CONNECTION_TEST', 'FETCH_RESOURCES');
begin
  -- whoever happens to sweep is not who does this
  perform set_config('vintner.acting', 'database', true);
  if v_reads_only and p_job.cancel_requested_at is not null then
    perform private.append_system_log(p_job, 'The Tendril was lost; the job is cancelled, as was asked.');
    update public.provision_jobs set status = 'CANCELLED', completed_at = now() where id = p_job.id;
  elsif (p_job.status = 'CLAIMED' or v_reads_only) and p_job.attempt < 3 then
    perform private.append_system_log(p_job, 'The Tendril was lost; the job is back in the queue.');
    update public.provision_jobs
    set status = 'QUEUED', worker_id = null, claimed_at = null, started_at = null
    where id = p_job.id;
  else
    perform private.append_system_log(p_job, 'The Tendril was lost; the job has failed.');
    update public.provision_jobs
    set status = 'FAILED',
        completed_at = now(),
        error_message = case
          when p_job.status = 'CLAIMED' or v_reads_only then
            'Its Tendril was lost. Nothing was changed; run it again.'
          else
            'Its Tendril was lost while Terraform ran. Check in the cloud what was made or removed, then run it again: '
            'the state knows what had been saved.'
        end
    where id = p_job.id;
    perform private.settle_vine(p_job, 'FAILED');
  end if;
  perform set_config('vintner.acting', '', true);
end;
$$;
comment on function private.resolve_lost_job is
  'Puts back what did no harm, three attempts at most; fails what may have. For the sweep and heartbeats.';

create function private.sweep_lost_workers()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  if not pg_try_advisory_xact_lock(hashtext('vintner.sweep_lost_workers')) then
    return;
  end if;
  update public.workers set status = 'OFFLINE'
  where id in (
    select id from public.workers
    where status <> 'OFFLINE' and last_heartbeat < now() - private.lease_duration()
    for update skip locked
  );
  for v_job in
    select j.*
    from public.provision_jobs as j
    join public.workers as w on w.id = j.worker_id
    where j.status in ('CLAIMED', 'PROCESSING')
      and greatest(w.last_heartbeat, j.claimed_at) < now() - private.lease_duration()
    for update of j skip locked
  loop
    perform private.resolve_lost_job(v_job);
  end loop;
end;
$$;
comment on function private.sweep_lost_workers is
  'Finds Tendrils unheard of and resolves their jobs; one sweep at a time. Run by heartbeats, claims and enqueues.';

--------------------------------------------------------------------------------------------------
-- Heartbeat, claim, start, complete
--------------------------------------------------------------------------------------------------

create function private.current_worker()
returns public.workers
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_worker public.workers;
begin
  select * into v_worker from public.workers
  where id = private.current_user_id() and removed_at is null;
  if not found then
    perform private.raise_error('not_allowed', 'do this: it is for Tendrils');
  end if;
  return v_worker;
end;
$$;
comment on function private.current_worker is 'The Tendril that is calling; refuses anyone else.';

create function private.held_job(p_job_id uuid, p_attempt integer)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  select * into v_job from public.provision_jobs
  where id = p_job_id
    and worker_id = private.current_user_id()
    and attempt = p_attempt
    and status in ('CLAIMED', 'PROCESSING')
  for update;
  if not found or not private.serves(v_job.worker_id, v_job.account_id) then
    perform private.raise_error('lease_lost', p_job_id::text);
  end if;
  return v_job;
end;
$$;
comment on function private.held_job is
  'The fence: the job, locked, if the caller holds this attempt of it and still serves its account; refuses otherwise.';

create function private.heartbeat(
  p_version text, p_status public.worker_status, p_running_job_ids uuid[]
)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_worker constant public.workers := private.current_worker();
  v_job public.provision_jobs;
begin
  update public.workers
  set last_heartbeat = now(),
      status = p_status,
      version = p_version,
      release_id = (select r.id from public.worker_releases as r where r.version = p_version)
  where id = v_worker.id;
  -- what it claimed and no longer runs was lost with an earlier process of it; a claim whose answer
  -- is still under way is not
  for v_job in
    select * from public.provision_jobs
    where worker_id = v_worker.id
      and status in ('CLAIMED', 'PROCESSING')
      and not id = any (p_running_job_ids)
      and claimed_at < now() - private.heartbeat_interval()
    for update skip locked
  loop
    perform private.resolve_lost_job(v_job);
  end loop;
  perform private.sweep_lost_workers();
  return jsonb_build_object(
    'interval_seconds', extract(epoch from private.heartbeat_interval())::integer,
    'lease_seconds', extract(epoch from private.lease_duration())::integer,
    'cancel_job_ids', (
      select coalesce(jsonb_agg(id), '[]') from public.provision_jobs
      where worker_id = v_worker.id and status = 'PROCESSING' and cancel_requested_at is not null
    ),
    'lost_job_ids', (
      select coalesce(jsonb_agg(r.id), '[]') from unnest(p_running_job_ids) as r (id)
      where not exists (
        select from public.provision_jobs as j
        where j.id = r.id and j.worker_id = v_worker.id and j.status in ('CLAIMED', 'PROCESSING')
      )
    )
  );
end;
$$;
comment on function private.heartbeat is 'See public.heartbeat.';
grant execute on function private.heartbeat to authenticated;

create function public.heartbeat(
  p_version text,
  p_status public.worker_status default 'ONLINE',
  p_running_job_ids uuid[] default '{}'
)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.heartbeat(p_version, p_status, p_running_job_ids) $$;
comment on function public.heartbeat is
  'A Tendril''s sign of life, naming the jobs it runs; renews their leases. Answers interval_seconds, lease_seconds, '
  'cancel_job_ids (stop these) and lost_job_ids (no longer its own). For Tendrils.';
grant execute on function public.heartbeat to authenticated;

create function private.claim_next_job(p_worker_id uuid)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_worker public.workers;
  v_job public.provision_jobs;
begin
  perform private.sweep_lost_workers();
  v_worker := private.current_worker();
  if p_worker_id is distinct from v_worker.id then
    perform private.raise_error('not_allowed', 'claim jobs for another Tendril');
  elsif v_worker.status <> 'ONLINE' then
    perform private.raise_error('worker_unavailable', v_worker.name, v_worker.status::text);
  end if;
  select j.* into v_job
  from public.provision_jobs as j
  where j.status = 'QUEUED'
    and (not j.approval_required or j.approved_at is not null)
    and j.account_id = any (array(select private.served_account_ids(v_worker.id)))
    and not exists (
      select from public.provision_jobs as r
      where r.vine_id = j.vine_id and r.status in ('CLAIMED', 'PROCESSING')
    )
  order by j.priority, j.created_at, j.id
  for update of j skip locked
  limit 1;
  if not found then
    return null;
  end if;
  update public.provision_jobs
  set status = 'CLAIMED', worker_id = v_worker.id, claimed_at = now(), attempt = attempt + 1
  where id = v_job.id
  returning * into v_job;
  return v_job;
exception
  -- another Tendril has just claimed another job of this vine
  when unique_violation then
    return null;
end;
$$;
comment on function private.claim_next_job is 'See public.claim_next_job.';
grant execute on function private.claim_next_job to authenticated;

create function private.served_account_ids(p_worker_id uuid)
returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select m.account_id
  from public.workers as w
  join public.accounts_memberships as m on m.user_id = w.user_id
  where w.id = p_worker_id and w.mode = 'self-hosted' and m.role >= 'admin'
  union all
  select a.id
  from public.workers as w
  cross join public.accounts as a
  where w.id = p_worker_id and w.mode = 'cloud-hosted' and not exists (
    select
    from public.accounts_memberships as m
    join public.workers as own on own.user_id = m.user_id
    where m.account_id = a.id and m.role >= 'admin' and own.mode = 'self-hosted' and own.removed_at is null
  );
$$;
comment on function private.served_account_ids is
  'A self-hosted Tendril serves the accounts that its owner administers, for it is handed their credentials; '
  'a cloud-hosted one those that have none of their own.';

create function public.claim_next_job(p_worker_id uuid)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.claim_next_job(p_worker_id) $$;
comment on function public.claim_next_job is
  'Claims the oldest job that this Tendril may run, or nothing (all columns null). Jobs of a busy vine are passed over. '
  'For Tendrils that are ONLINE.';
grant execute on function public.claim_next_job to authenticated;

create function private.start_job(p_job_id uuid, p_attempt integer)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.held_job(p_job_id, p_attempt);
begin
  if v_job.status = 'PROCESSING' then
    return v_job;
  end if;
  update public.provision_jobs set status = 'PROCESSING', started_at = now()
  where id = v_job.id returning * into v_job;
  if v_job.job_type = 'DEPLOY' then
    update public.vines set status = 'PROVISIONING' where id = v_job.vine_id;
    perform private.move_changed_components(v_job.vine_id);
    perform private.move_components(v_job.vine_id, '{PENDING,FAILED}', 'CREATING');
  elsif v_job.job_type = 'DESTROY' then
    update public.vines set status = 'DESTROYING' where id = v_job.vine_id;
    perform private.move_components(v_job.vine_id, '{ACTIVE,FAILED}', 'DESTROYING');
  end if;
  return v_job;
end;
$$;
comment on function private.start_job is 'See public.start_job.';
grant execute on function private.start_job to authenticated;

create function public.start_job(p_job_id uuid, p_attempt integer)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.start_job(p_job_id, p_attempt) $$;
comment on function public.start_job is
  'Says that execution begins: CLAIMED to PROCESSING, and the vine with it. For the Tendril that holds the job.';
grant execute on function public.start_job to authenticated;

create function private.complete_job(
  p_job_id uuid,
  p_attempt integer,
  p_status public.provision_job_status,
  p_error_message text,
  p_outputs jsonb,
  p_execution_metadata jsonb
)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.held_job(p_job_id, p_attempt);
begin
  if p_status is null or p_status not in ('SUCCESS', 'FAILED', 'CANCELLED') then
    perform private.raise_error('invalid_input', 'A job ends as SUCCESS, FAILED or CANCELLED.');
  end if;
  update public.provision_jobs
  set status = p_status,
      completed_at = now(),
      error_message = p_error_message,
      execution_metadata = execution_metadata || coalesce(p_execution_metadata, '{}')
        || case when p_outputs is null then '{}' else jsonb_build_object('outputs', p_outputs) end
  where id = v_job.id
  returning * into v_job;
  perform private.settle_vine(v_job, p_status);
  if p_status = 'SUCCESS' and v_job.job_type = 'DEPLOY' and p_outputs is not null then
    perform private.fill_in_outputs(v_job.vine_id, p_outputs);
  end if;
  return v_job;
end;
$$;
comment on function private.complete_job is 'See public.complete_job.';
grant execute on function private.complete_job to authenticated;

create function public.complete_job(
  p_job_id uuid,
  p_attempt integer,
  p_status public.provision_job_status,
  p_error_message text default null,
  p_outputs jsonb default null,
  p_execution_metadata jsonb default null
)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$
  select private.complete_job(p_job_id, p_attempt, p_status, p_error_message, p_outputs, p_execution_metadata)
$$;
comment on function public.complete_job is
  'Ends a job as SUCCESS, FAILED or CANCELLED and moves its vine and components. p_outputs holds Terraform''s outputs '
  'that are not sensitive, by component. For the Tendril that holds the job.';
grant execute on function public.complete_job to authenticated;
