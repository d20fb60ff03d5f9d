-- Enqueueing: what users do to the queue. A vine's jobs are PLAN, DEPLOY and DESTROY; those of a cloud
-- identity try it out or look around in it. A DEPLOY may name the PLAN whose saved plan it applies.

--------------------------------------------------------------------------------------------------
-- Enqueue
--------------------------------------------------------------------------------------------------

create function private.earlier_job(
  p_idempotency_key text, p_subject_id uuid, p_job_type text, p_plan_job_id uuid default null
)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  perform private.require_size('The idempotency key', p_idempotency_key, 200);
  select * into v_job from public.provision_jobs
  where user_id = private.current_user_id() and idempotency_key = p_idempotency_key;
  if found and (coalesce(v_job.vine_id, v_job.cloud_identity_id), v_job.job_type, v_job.plan_job_id)
    is distinct from (p_subject_id, p_job_type, p_plan_job_id) then
    perform private.raise_error('idempotency_key_reused', v_job.id::text);
  end if;
  return v_job;
end;
$$;
comment on function private.earlier_job is
  'The job that the caller''s idempotency key has made, or nulls; refuses a key of another request. For the enqueue functions.';

create function private.refuse_job_type(p_job_type text, p_wanted text)
returns void
language plpgsql stable security definer set search_path = ''
as $$
begin
  perform private.raise_error('invalid_input', case
    when p_job_type in ('BOOTSTRAP', 'DEPLOY_WORKER', 'DESTROY_WORKER') then format('No Tendril runs %s jobs yet.', p_job_type)
    else format('%s is wanted, not %s.', p_wanted, coalesce(p_job_type, 'null'))
  end);
end;
$$;
comment on function private.refuse_job_type is 'Says which jobs there are for what was named. For the enqueue functions.';

create function private.enqueue_job(
  p_vine_id uuid, p_job_type text, p_idempotency_key text, p_confirm_name text, p_plan_job_id uuid
)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_vine public.vines;
  v_job public.provision_jobs;
  v_label text;
begin
  -- what the new job will refer to, before the vine: who deletes a vineyard locks them in this order
  perform from public.provision_jobs where id = p_plan_job_id for key share;
  perform from public.vineyards as y
  where y.id = (select v.vineyard_id from public.vines as v where v.id = p_vine_id)
  for key share;
  perform from public.vines as v
  where v.id = p_vine_id and v.account_id = any (array(select * from private.account_ids('viewer')))
  for update;
  if not found then
    perform private.raise_error('not_found', 'vine', p_vine_id::text);
  end if;
  -- it waits for nobody, so it may come now; earlier, two who enqueue could wait for each other's vines
  perform private.sweep();
  select * into strict v_vine from public.vines where id = p_vine_id;
  v_label := private.vine_label(v_vine);
  perform private.require_role(v_vine.account_id, 'operator', 'run jobs');
  v_job := private.earlier_job(p_idempotency_key, p_vine_id, p_job_type, p_plan_job_id);
  if v_job.id is not null then
    return v_job;
  end if;

  if p_job_type is null or p_job_type not in ('PLAN', 'DEPLOY', 'DESTROY') then
    perform private.refuse_job_type(p_job_type, 'PLAN, DEPLOY or DESTROY');
  elsif v_vine.status = 'DESTROYED' then
    perform private.raise_error('vine_destroyed', v_label);
  elsif p_job_type = 'DESTROY' and v_vine.status = 'DRAFT' then
    perform private.raise_error('vine_not_destroyable', v_label, v_vine.status::text);
  elsif v_vine.cloud_identity_id is null then
    perform private.raise_error('cloud_identity_missing', v_label);
  elsif p_job_type <> 'DEPLOY' and p_plan_job_id is not null then
    perform private.raise_error('invalid_input', 'Only a DEPLOY applies a saved plan.');
  end if;
  -- a PLAN may wait behind a DEPLOY, or go before what waits for an approval; behind a DESTROY there is
  -- nothing left to plan
  select j.* into v_job
  from private.open_jobs as o
  join public.provision_jobs as j on j.id = o.job_id
  where o.vine_id = p_vine_id
    and j.job_type in ('DEPLOY', 'DESTROY')
    and not (p_job_type = 'PLAN' and (j.job_type = 'DEPLOY' or o.waiting_on is not distinct from 'approval'));
  if found then
    perform private.raise_error('vine_busy', v_label, v_job.job_type);
  end if;
  if p_job_type = 'DESTROY' and v_vine.environment_stage = 'production'
    and p_confirm_name is distinct from v_vine.project_name then
    perform private.raise_error('destroy_protected', v_label);
  end if;
  if p_plan_job_id is not null then
    perform private.require_usable_plan(p_plan_job_id, v_vine.id);
  end if;

  insert into public.provision_jobs (
    account_id, user_id, vineyard_id, vine_id, cloud_identity_id, job_type, vine_status_before, idempotency_key,
    plan_job_id, approval_required
  ) values (
    v_vine.account_id, private.current_user_id(), v_vine.vineyard_id, v_vine.id, v_vine.cloud_identity_id,
    p_job_type, v_vine.status, p_idempotency_key,
    p_plan_job_id, private.requires_approval(v_vine, p_job_type, p_plan_job_id)
  )
  on conflict (user_id, idempotency_key) do nothing
  returning * into v_job;
  -- another call with this key, for another vine, was quicker
  if not found then
    return private.earlier_job(p_idempotency_key, p_vine_id, p_job_type, p_plan_job_id);
  end if;
  if p_job_type = 'DEPLOY' then
    update public.vines set status = 'QUEUED' where id = v_vine.id;
  end if;
  return v_job;
end;
$$;
comment on function private.enqueue_job is 'See public.enqueue_job.';
grant execute on function private.enqueue_job to authenticated;

create function public.enqueue_job(
  p_vine_id uuid,
  p_job_type text,
  p_idempotency_key text default null,
  p_confirm_name text default null,
  p_plan_job_id uuid default null
)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.enqueue_job(p_vine_id, p_job_type, p_idempotency_key, p_confirm_name, p_plan_job_id) $$;
comment on function public.enqueue_job is
  'Queues a PLAN, DEPLOY or DESTROY of a vine. The same idempotency key gives the same job again. '
  'Destroying a production vine needs its project name in p_confirm_name. A DEPLOY applies the saved plan of the PLAN in '
  'p_plan_job_id, or plans anew. For operators.';
grant execute on function public.enqueue_job to authenticated;

create function private.enqueue_identity_job(p_cloud_identity_id uuid, p_job_type text, p_idempotency_key text)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account_id uuid;
  v_job public.provision_jobs;
begin
  perform private.sweep();
  select c.account_id into v_account_id from public.cloud_identities as c
  where c.id = p_cloud_identity_id and c.account_id = any (array(select * from private.account_ids('viewer')))
  for key share;
  if not found then
    perform private.raise_error('not_found', 'cloud identity', p_cloud_identity_id::text);
  end if;
  perform private.require_role(v_account_id, 'operator', 'run jobs');
  v_job := private.earlier_job(p_idempotency_key, p_cloud_identity_id, p_job_type);
  if v_job.id is not null then
    return v_job;
  elsif p_job_type is null or p_job_type not in ('CONNECTION_TEST', 'FETCH_RESOURCES') then
    perform private.refuse_job_type(p_job_type, 'CONNECTION_TEST or FETCH_RESOURCES');
  end if;
  insert into public.provision_jobs (account_id, user_id, cloud_identity_id, job_type, idempotency_key)
  values (v_account_id, private.current_user_id(), p_cloud_identity_id, p_job_type, p_idempotency_key)
  on conflict (user_id, idempotency_key) do nothing
  returning * into v_job;
  if not found then
    return private.earlier_job(p_idempotency_key, p_cloud_identity_id, p_job_type);
  end if;
  return v_job;
end;
$$;
comment on function private.enqueue_identity_job is 'See public.enqueue_identity_job.';
grant execute on function private.enqueue_identity_job to authenticated;

create function public.enqueue_identity_job(
  p_cloud_identity_id uuid, p_job_type text, p_idempotency_key text default null
)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.enqueue_identity_job(p_cloud_identity_id, p_job_type, p_idempotency_key) $$;
comment on function public.enqueue_identity_job is
  'Queues a CONNECTION_TEST or FETCH_RESOURCES of a cloud identity. The same idempotency key gives the same job again. '
  'For operators.';
grant execute on function public.enqueue_identity_job to authenticated;

create function private.settle_identity(p_job public.provision_jobs, p_status public.provision_job_status)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- by itself: who changes them this moment is waited for before the look
  perform from public.cloud_identities where id = p_job.cloud_identity_id for no key update;
  -- credentials that changed while the test ran are not the ones it tried; who never asked for them tried none
  update public.cloud_identities set is_verified = (p_status = 'SUCCESS')
  where id = p_job.cloud_identity_id and is_verified <> (p_status = 'SUCCESS') and p_status in ('SUCCESS', 'FAILED')
    and coalesce(private.context_sha256(null, id) = p_job.context_sha256, p_status = 'FAILED');
end;
$$;
comment on function private.settle_identity is 'A CONNECTION_TEST says whether its identity is verified. For settle_job.';

create function private.visible_job(p_job_id uuid)
returns public.provision_jobs
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  select j.* into v_job from public.provision_jobs as j
  where j.id = p_job_id and j.account_id = any (array(select * from private.account_ids('viewer')));
  if not found then
    perform private.raise_error('not_found', 'job', p_job_id::text);
  end if;
  return v_job;
end;
$$;
comment on function private.visible_job is 'A job of an account that the caller belongs to; refuses any other. For the job functions.';

create function private.retry_job(p_job_id uuid, p_idempotency_key text, p_confirm_name text)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.visible_job(p_job_id);
begin
  if v_job.status not in ('FAILED', 'CANCELLED') then
    perform private.raise_error('job_not_retryable', v_job.id::text, v_job.status::text);
  elsif v_job.vine_id is null then
    return private.enqueue_identity_job(v_job.cloud_identity_id, v_job.job_type, p_idempotency_key);
  end if;
  return private.enqueue_job(v_job.vine_id, v_job.job_type, p_idempotency_key, p_confirm_name, v_job.plan_job_id);
end;
$$;
comment on function private.retry_job is 'See public.retry_job.';
grant execute on function private.retry_job to authenticated;

create function public.retry_job(p_job_id uuid, p_idempotency_key text default null, p_confirm_name text default null)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.retry_job(p_job_id, p_idempotency_key, p_confirm_name) $$;
comment on function public.retry_job is
  'Queues a new job for the same as one that FAILED or was CANCELLED, by the rules of enqueue_job and '
  'enqueue_identity_job. For operators.';
grant execute on function public.retry_job to authenticated;

--------------------------------------------------------------------------------------------------
-- Cancel
--------------------------------------------------------------------------------------------------

create function private.force_delay()
returns interval
language sql immutable set search_path = ''
as $$ select interval '60 seconds' $$;
comment on function private.force_delay is
  'How long a job that was asked to stop is waited for before an admin may end it: four heartbeats, a lease.';

create function private.cancel_job(p_job_id uuid, p_force boolean)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.visible_job(p_job_id);
begin
  perform private.require_role(v_job.account_id, 'operator', 'cancel jobs');
  if p_force is true then
    perform private.require_role(v_job.account_id, 'admin', 'end a job by force');
  end if;
  select * into v_job from public.provision_jobs where id = p_job_id for update;
  if not found then
    perform private.raise_error('not_found', 'job', p_job_id::text);
  elsif v_job.status in ('QUEUED', 'CLAIMED') then
    update public.provision_jobs set status = 'CANCELLED', completed_at = now(), cancel_requested_at = now()
    where id = p_job_id returning * into v_job;
    perform private.settle_job(v_job, 'CANCELLED');
  elsif v_job.status <> 'PROCESSING' then
    perform private.raise_error('job_ended', p_job_id::text, v_job.status::text);
  elsif p_force is not true then
    update public.provision_jobs set cancel_requested_at = coalesce(cancel_requested_at, now())
    where id = p_job_id returning * into v_job;
  elsif coalesce(v_job.cancel_requested_at > now() - private.force_delay(), true) then
    perform private.raise_error('job_not_forceable', p_job_id::text, extract(epoch from private.force_delay())::integer::text);
  else
    perform private.append_system_log(v_job, 'The Tendril did not stop the job; it is ended by force.');
    perform private.end_job(v_job, 'CANCELLED', 'It was cancelled and did not stop when asked to. '
      'Check in the cloud what was made or removed before it runs again.');
    perform private.audit_job(v_job, '{"status": {"before": "PROCESSING", "after": "CANCELLED"}, "forced": {"after": true}}');
    select * into strict v_job from public.provision_jobs where id = p_job_id;
  end if;
  return v_job;
end;
$$;
comment on function private.cancel_job is 'See public.cancel_job.';
grant execute on function private.cancel_job to authenticated;

create function public.cancel_job(p_job_id uuid, p_force boolean default false)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.cancel_job(p_job_id, p_force) $$;
comment on function public.cancel_job is
  'Cancels a job that has not started; asks the Tendril of one that has to stop. With p_force it ends one that was asked '
  'a minute ago and still runs; a DEPLOY or DESTROY leaves its vine FAILED, because resources may exist. For operators, '
  'and by force for admins.';
grant execute on function public.cancel_job to authenticated;
