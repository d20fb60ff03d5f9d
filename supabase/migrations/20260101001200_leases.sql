-- Leases: what Tendrils say of jobs, and what becomes of a job whose Tendril is lost.
--
-- A claim is a lease: it lasts while the Tendril's heartbeats name the job. Its fence is the worker
-- (who is calling) and the attempt; each later report must show both, so what a lost worker says
-- afterwards is refused. Locks are taken in one order: workers, jobs, vineyards, vines.

--------------------------------------------------------------------------------------------------
-- Lost and overdue jobs
--------------------------------------------------------------------------------------------------

create function private.grace(p_mode public.worker_mode)
returns interval
language sql immutable set search_path = ''
as $$
  select case p_mode when 'self-hosted' then private.lease_duration() else interval '5 minutes' end
$$;
comment on function private.grace is
  'How long after a claim a Tendril may be silent; longer where its machine has yet to start.';

create function private.timed_out(p_job public.provision_jobs)
returns boolean
language sql immutable set search_path = ''
as $$
  select coalesce(p_job.cancel_requested_at >= p_job.started_at + make_interval(secs => p_job.timeout_seconds), false)
$$;
comment on function private.timed_out is 'Whether a job was asked to stop because its time was over, and not by a person.';

create function private.end_job(p_job public.provision_jobs, p_status public.provision_job_status, p_message text)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.provision_jobs
  set status = p_status, completed_at = now(), error_message = p_message
  where id = p_job.id;
  perform private.settle_job(p_job, p_status);
end;
$$;
comment on function private.end_job is 'Ends a job in its Tendril''s place. For the functions below.';

create function private.resolve_lost_job(p_job public.provision_jobs, p_how text default 'was lost')
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_harmless constant boolean := p_job.status = 'CLAIMED'
    or (select t.reads_only from public.job_types as t where t.job_type = p_job.job_type);
begin
  -- whoever happens to sweep is not who does this
  perform set_config('vintner.acting', 'database', true);
  if v_harmless and p_job.cancel_requested_at is not null and not private.timed_out(p_job) then
    perform private.append_system_log(p_job, format('The Tendril %s; the job is cancelled, as was asked.', p_how));
    perform private.end_job(p_job, 'CANCELLED', null);
  elsif v_harmless and p_job.cancel_requested_at is null and p_job.attempt < 3 then
    perform private.append_system_log(p_job, format('The Tendril %s; the job is back in the queue.', p_how));
    update public.provision_jobs
    set status = 'QUEUED', worker_id = null, claimed_at = null, started_at = null
    where id = p_job.id;
  else
    perform private.append_system_log(p_job, format('The Tendril %s; the job has failed.', p_how));
    perform private.end_job(p_job, 'FAILED', format('Its Tendril %s', p_how) || case
      when v_harmless then '. Nothing was changed; run it again.'
      else ' while Terraform ran. Check in the cloud what was made or removed, then run it again: '
        'the state knows what had been saved.'
    end);
  end if;
  perform set_config('vintner.acting', '', true);
end;
$$;
comment on function private.resolve_lost_job is
  'Puts back what did no harm, three attempts at most; fails what may have. For the sweep and heartbeats.';

create function private.resolve_overdue_job(p_job public.provision_jobs)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_job.status = 'CLAIMED' then
    perform private.resolve_lost_job(p_job, 'did not start it');
  elsif p_job.cancel_requested_at is null then
    perform private.append_system_log(
      p_job, format('The job has run for its %s seconds; its Tendril is asked to stop it.', p_job.timeout_seconds));
    update public.provision_jobs set cancel_requested_at = now() where id = p_job.id;
  else
    perform set_config('vintner.acting', 'database', true);
    perform private.append_system_log(p_job, 'The Tendril did not stop the job; it is ended by force.');
    perform private.end_job(
      p_job,
      case when private.timed_out(p_job) then 'FAILED' else 'CANCELLED' end::public.provision_job_status,
      case when private.timed_out(p_job) then format('It ran longer than %s seconds', p_job.timeout_seconds)
        else 'It was cancelled' end
      || ' and did not stop when asked to. Check in the cloud what was made or removed before it runs again.');
    perform set_config('vintner.acting', '', true);
  end if;
end;
$$;
comment on function private.resolve_overdue_job is
  'What happens at a job''s deadline: an unstarted one goes back, a running one is asked to stop, and then made to. For the sweep.';

create function private.lock_vine(p_vine_id uuid)
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform from public.vines where id = p_vine_id for no key update skip locked;
  return found or p_vine_id is null;
end;
$$;
comment on function private.lock_vine is
  'Locks a vine unless another holds it. For whoever works on several: with no waiting there is no deadlock.';

create function private.lose_jobs(p_worker_id uuid, p_except uuid[])
returns boolean
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  for v_job in
    select j.*
    from private.open_jobs as o
    join public.provision_jobs as j on j.id = o.job_id
    where o.worker_id = p_worker_id and not o.job_id = any (p_except)
      and j.worker_id = p_worker_id and j.completed_at is null
    for update of j skip locked
  loop
    if private.lock_vine(v_job.vine_id) then
      perform private.resolve_lost_job(v_job);
    end if;
  end loop;
  return not exists (
    select from private.open_jobs where worker_id = p_worker_id and not job_id = any (p_except)
  );
end;
$$;
comment on function private.lose_jobs is
  'Resolves the jobs of a Tendril that no longer runs them; false where some must wait for the next call because they '
  'or their vines are in use: it waits for nobody. For the sweep, heartbeats and removals, which hold the Tendril''s lock.';

create function private.sweep(p_claimant uuid default null)
returns void
language plpgsql volatile security definer set search_path = ''
-- its plans are made once a session and must hold when a small queue has become a large one
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_now constant timestamptz := now();
  v_worker public.workers;
  v_job public.provision_jobs;
begin
  -- one look into each of two indexes; most calls end here
  if not exists (
    select from public.workers where status <> 'OFFLINE' and last_heartbeat < v_now - private.lease_duration()
  ) and not exists (
    select from private.open_jobs where deadline < v_now
  ) then
    return;
  elsif p_claimant is not null and not exists (
    select from public.workers
    where id = p_claimant and status = 'ONLINE' and removed_at is null and last_heartbeat >= v_now - private.lease_duration()
  ) then
    -- what is refused would undo whatever it had found
    return;
  end if;
  -- several may sweep at once: each passes over what another has in hand
  for v_worker in
    select w.* from public.workers as w
    where w.status <> 'OFFLINE' and w.last_heartbeat < v_now - private.lease_duration()
      and not exists (
        select from private.open_jobs as o
        join public.provision_jobs as j on j.id = o.job_id
        where o.worker_id = w.id and j.claimed_at > greatest(w.last_heartbeat, v_now - private.grace(w.mode))
      )
    for update of w skip locked
  loop
    if private.lose_jobs(v_worker.id, '{}') then
      update public.workers set status = 'OFFLINE' where id = v_worker.id;
    end if;
  end loop;
  for v_job in
    select j.*
    -- with a limit the planner begins here, whatever it thinks of how many there are; the next sweep goes on
    from (select o.job_id from private.open_jobs as o where o.deadline < v_now order by o.deadline limit 1000) as o
    join public.provision_jobs as j on j.id = o.job_id
    where j.deadline < v_now
    for update of j skip locked
  loop
    if private.lock_vine(v_job.vine_id) then
      perform private.resolve_overdue_job(v_job);
    end if;
  end loop;
end;
$$;
comment on function private.sweep is
  'Finds Tendrils unheard of and jobs past their deadline. It waits for nobody. Run by heartbeats, claims and enqueues.';

--------------------------------------------------------------------------------------------------
-- Heartbeat, and the fence
--------------------------------------------------------------------------------------------------

create function private.current_worker()
returns public.workers
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_caller constant uuid := private.session_user_id();
  v_worker public.workers;
begin
  select * into v_worker from public.workers where id = v_caller and removed_at is null;
  if not found then
    perform private.raise_error('not_allowed', 'do this: it is for Tendrils');
  end if;
  return v_worker;
end;
$$;
comment on function private.current_worker is 'The Tendril that is calling; refuses anyone else, and ended sessions.';

create function private.held_job(p_job_id uuid, p_attempt integer)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_caller constant uuid := private.session_user_id();
  v_job public.provision_jobs;
begin
  select * into v_job from public.provision_jobs
  where id = p_job_id
    and worker_id = v_caller
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
  v_worker public.workers := private.current_worker();
  v_has_lost_all boolean;
begin
  if p_status is null then
    perform private.raise_error('invalid_input', 'A Tendril is ONLINE, DRAINING or OFFLINE.');
  elsif cardinality(p_running_job_ids) > 1000 then
    perform private.raise_error('invalid_input', 'A Tendril runs at most 1000 jobs.');
  end if;
  perform private.require_size('The version', p_version, 100);
  update public.workers
  set last_heartbeat = now(),
      status = case when p_status = 'ONLINE' and drain_requested_at is not null then 'DRAINING' else p_status end,
      -- a Tendril that has ended has drained
      drain_requested_at = case when p_status <> 'OFFLINE' then drain_requested_at end,
      version = p_version,
      release_id = (select r.id from public.worker_releases as r where r.version = p_version)
  where id = v_worker.id and removed_at is null
  returning * into v_worker;
  if not found then
    perform private.raise_error('not_allowed', 'do this: it is for Tendrils');
  end if;
  p_running_job_ids := array_remove(p_running_job_ids, null);
  -- what it claimed and no longer runs was lost with an earlier process of it; a claim whose answer
  -- is still under way is not. Not within the condition below: what the planner can tell without it, it never calls.
  v_has_lost_all := private.lose_jobs(v_worker.id, case
    when p_status = 'OFFLINE' then '{}'
    else p_running_job_ids || array(
      select o.job_id from private.open_jobs as o
      join public.provision_jobs as j on j.id = o.job_id
      where o.worker_id = v_worker.id and j.claimed_at >= now() - private.heartbeat_interval()
    )
  end);
  if p_status = 'OFFLINE' and not v_has_lost_all then
    -- the sweep must find it once more
    update public.workers set status = 'DRAINING' where id = v_worker.id;
  end if;
  perform private.sweep();
  return jsonb_build_object(
    'interval_seconds', extract(epoch from private.heartbeat_interval())::integer,
    'lease_seconds', extract(epoch from private.lease_duration())::integer,
    'cancel_job_ids', (
      select coalesce(jsonb_agg(o.job_id), '[]') from private.open_jobs as o
      join public.provision_jobs as j on j.id = o.job_id
      where o.worker_id = v_worker.id and j.cancel_requested_at is not null
    ),
    'lost_job_ids', (
      select coalesce(jsonb_agg(r.id), '[]') from unnest(p_running_job_ids) as r (id)
      where not exists (
        select from private.open_jobs as o where o.job_id = r.id and o.worker_id = v_worker.id
      )
    ),
    'drain', v_worker.drain_requested_at is not null,
    'newer_version', case when public.is_outdated(v_worker) then (public.newest_worker_release()).version end
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
  'cancel_job_ids (stop these), lost_job_ids (no longer its own), drain (claim nothing more, finish, and end) and '
  'newer_version (of Tendril, or null). For Tendrils.';
grant execute on function public.heartbeat to authenticated;
