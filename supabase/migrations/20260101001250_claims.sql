-- Claims, and what the Tendril that holds a job says of it: that it begins, and how it ended.

create function private.has_own_tendril(p_account_id uuid)
returns boolean
language sql stable security definer set search_path = ''
as $$
  select exists (
    select
    from public.accounts_memberships as m
    join public.workers as w on w.user_id = m.user_id
    where m.account_id = p_account_id and m.role >= 'admin' and w.mode = 'self-hosted' and w.removed_at is null
  );
$$;
comment on function private.has_own_tendril is 'Whether an admin of the account has a self-hosted Tendril. For claims.';

create function private.waiting_account_ids()
returns setof uuid
language sql stable security definer set search_path = ''
as $$
  -- from one account to the next by index, however many jobs each has
  with recursive waiting (account_id) as (
    (select o.account_id from private.open_jobs as o where o.waiting_on = 'tendril' order by o.account_id limit 1)
    union all
    select (
      select o.account_id from private.open_jobs as o
      where o.waiting_on = 'tendril' and o.account_id > w.account_id order by o.account_id limit 1
    )
    from waiting as w
    where w.account_id is not null
  )
  select w.account_id from waiting as w where w.account_id is not null;
$$;
comment on function private.waiting_account_ids is 'The accounts that have a job to claim. For claims.';

create function private.claim_next_job(p_worker_id uuid)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
-- its plans are made once a session and must hold when a small queue has become a large one
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
as $$
declare
  v_caller constant uuid := private.session_user_id();
  v_worker public.workers;
  v_job public.provision_jobs;
begin
  perform private.sweep(v_caller);
  update public.provision_jobs
  set status = 'CLAIMED', worker_id = v_caller, claimed_at = now(), attempt = attempt + 1
  where id = (
    select n.job_id
    from (
      -- by their first jobs, so that age and priority count across accounts
      select s.account_id, f.priority, f.created_at
      from public.workers as w
      cross join lateral (
        select m.account_id from public.accounts_memberships as m
        where w.mode = 'self-hosted' and m.user_id = w.user_id and m.role >= 'admin'
        union all
        select a.id from private.waiting_account_ids() as a (id)
        where w.mode = 'cloud-hosted' and not private.has_own_tendril(a.id)
      ) as s
      cross join lateral (
        select o.priority, o.created_at from private.open_jobs as o
        where o.account_id = s.account_id and o.waiting_on = 'tendril'
        order by o.priority, o.created_at
        limit 1
      ) as f
      -- one unheard of may be found lost by others this moment, as it may find them: two such claims would wait for
      -- each other
      where w.id = v_caller and p_worker_id = v_caller and w.last_heartbeat >= now() - private.lease_duration()
      order by f.priority, f.created_at
    ) as a
    cross join lateral (
      -- with a job in sight, so that asking in vain writes nothing; from here on nobody finds the Tendril lost, or
      -- removes it, before its claim
      select a.account_id, a.priority, a.created_at
      from public.workers as w
      where w.id = v_caller and w.status = 'ONLINE' and w.removed_at is null
      for share
    ) as h
    cross join lateral (
      select j.id as job_id
      from (
        select o.job_id
        from private.open_jobs as o
        where o.account_id = h.account_id and o.waiting_on = 'tendril'
          -- not once more past what others have claimed since the last vacuum
          and (o.priority, o.created_at) >= (h.priority, h.created_at)
        order by o.priority, o.created_at
        for update skip locked
      ) as o
      join public.provision_jobs as j on j.id = o.job_id
      limit 1
      for update of j skip locked
    ) as n
    limit 1
  )
  returning * into v_job;
  if not found then
    select * into v_worker from public.workers where id = p_worker_id and id = v_caller and removed_at is null;
    if not found then
      perform private.raise_error('not_allowed', 'claim jobs: a Tendril does so, for itself');
    elsif v_worker.status <> 'ONLINE' then
      perform private.raise_error('worker_unavailable', v_worker.name, v_worker.status::text);
    elsif v_worker.last_heartbeat < now() - private.lease_duration() then
      perform private.raise_error('worker_unavailable', v_worker.name, 'unheard of');
    end if;
    return null;
  end if;
  return v_job;
end;
$$;
comment on function private.claim_next_job is 'See public.claim_next_job.';
grant execute on function private.claim_next_job to authenticated;

create function public.claim_next_job(p_worker_id uuid)
returns public.provision_jobs
language sql volatile
return private.claim_next_job(p_worker_id);
comment on function public.claim_next_job is
  'Claims the first job that this Tendril may run, by priority and age, or nothing (all columns null). Jobs of a busy '
  'vine and those that wait for an approval are passed over. '
  'For Tendrils that are ONLINE.';
grant execute on function public.claim_next_job to authenticated;

create function private.start_job(p_job_id uuid, p_attempt integer)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_vine public.vines;
begin
  if v_job.status = 'PROCESSING' then
    return v_job;
  end if;
  if v_job.approval_required and v_job.approved_at is null then
    perform private.raise_error('approval_withdrawn', v_job.id::text);
  end if;
  -- before the job's open row: everyone locks them in this order
  select * into v_vine from public.vines where id = v_job.vine_id for no key update;
  if v_vine.status = 'DESTROYED' then
    -- a PLAN that waited behind a DESTROY would plan to make everything anew
    perform private.raise_error('vine_destroyed', private.vine_label(v_vine));
  end if;
  update public.provision_jobs set status = 'PROCESSING', started_at = now()
  where id = v_job.id returning * into v_job;
  if v_job.job_type = 'DEPLOY' then
    update public.vines set status = 'PROVISIONING' where id = v_job.vine_id;
    perform private.move_changed_components(v_job.vine_id);
    perform private.move_components(v_job.vine_id, '{PENDING,FAILED}', 'CREATING');
    -- last, so that no change slips in between this look and what was just noted as deployed
    if v_job.plan_job_id is not null then
      perform private.require_usable_plan(v_job.plan_job_id, v_job.vine_id);
    end if;
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
language sql volatile
return private.start_job(p_job_id, p_attempt);
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
  v_caller constant uuid := private.session_user_id();
  v_metadata jsonb := '{}';
  v_job public.provision_jobs;
begin
  if p_status is null or p_status not in ('SUCCESS', 'FAILED', 'CANCELLED') then
    perform private.raise_error('invalid_input', 'A job ends as SUCCESS, FAILED or CANCELLED.');
  elsif num_nonnulls(p_error_message, p_execution_metadata, p_outputs) > 0 then
    if jsonb_typeof(p_outputs) <> 'object' or jsonb_typeof(p_execution_metadata) <> 'object' then
      perform private.raise_error('invalid_input', 'Outputs and metadata of a job are objects.');
    end if;
    perform private.require_size('The error message', p_error_message, 16 * 1024);
    perform private.require_size('The metadata', p_execution_metadata::text, 64 * 1024);
    perform private.require_size('What Terraform put out', p_outputs::text, 256 * 1024);
    v_metadata := coalesce(p_execution_metadata, '{}');
    if p_outputs is not null then
      v_metadata := v_metadata || jsonb_build_object('outputs', private.public_outputs(p_outputs));
    end if;
  end if;
  -- the fence of held_job, in the statement that writes
  update public.provision_jobs
  set status = p_status,
      completed_at = now(),
      error_message = p_error_message,
      execution_metadata = execution_metadata || v_metadata
  where id = p_job_id and worker_id = v_caller and attempt = p_attempt and status in ('CLAIMED', 'PROCESSING')
  returning * into v_job;
  if not found then
    select * into v_job from public.provision_jobs
    where id = p_job_id and worker_id = v_caller and attempt = p_attempt and status = p_status;
    if not found then
      perform private.raise_error('lease_lost', p_job_id::text);
    end if;
    -- it has said so before, and the answer was lost
    return v_job;
  elsif not private.serves(v_caller, v_job.account_id) then
    perform private.raise_error('lease_lost', p_job_id::text);
  end if;
  perform private.settle_job(v_job, p_status);
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
language sql volatile
return private.complete_job(p_job_id, p_attempt, p_status, p_error_message, p_outputs, p_execution_metadata);
comment on function public.complete_job is
  'Ends a job as SUCCESS, FAILED or CANCELLED and moves its vine and components; said again, it changes nothing. '
  'p_outputs holds Terraform''s outputs by component; what is encrypted in a component is kept there alone. The message may '
  'have 16 KiB, the metadata 64, the outputs 256. For the Tendril that holds the job.';
grant execute on function public.complete_job to authenticated;
