-- Enqueueing: what users do to the queue.

create function private.enqueue_job(
  p_vine_id uuid, p_job_type text, p_idempotency_key text, p_confirm_name text
)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_vine public.vines;
  v_account_id uuid;
  v_job public.provision_jobs;
  v_label text;
begin
  -- before the vine is locked: everyone locks workers first, then jobs, then vines
  perform private.sweep();
  select v.* into v_vine from public.vines as v
  where v.id = p_vine_id and v.account_id = any (array(select private.account_ids('viewer')))
  for update;
  if not found then
    perform private.raise_error('not_found', 'vine', p_vine_id::text);
  end if;
  v_label := private.vine_label(v_vine);
  select account_id into strict v_account_id from public.vineyards where id = v_vine.vineyard_id;
  perform private.require_role(v_account_id, 'operator', 'run jobs');

  select * into v_job from public.provision_jobs
  where user_id = private.current_user_id() and idempotency_key = p_idempotency_key;
  if found then
    if (v_job.vine_id, v_job.job_type) is distinct from (p_vine_id, p_job_type) then
      perform private.raise_error('idempotency_key_reused', v_job.id::text);
    end if;
    return v_job;
  end if;

  if p_job_type is null or p_job_type not in ('PLAN', 'DEPLOY', 'DESTROY') then
    perform private.raise_error('invalid_input', format('A vine''s job is PLAN, DEPLOY or DESTROY, not %s.', coalesce(p_job_type, 'null')));
  elsif v_vine.status = 'DESTROYED' then
    perform private.raise_error('vine_destroyed', v_label);
  elsif p_job_type = 'DESTROY' and v_vine.status = 'DRAFT' then
    perform private.raise_error('vine_not_destroyable', v_label, v_vine.status::text);
  elsif v_vine.cloud_identity_id is null then
    perform private.raise_error('cloud_identity_missing', v_label);
  end if;
  -- a PLAN may wait behind a DEPLOY; behind a DESTROY there is nothing left to plan
  select * into v_job from public.provision_jobs
  where vine_id = p_vine_id
    and (job_type = 'DESTROY' or (job_type = 'DEPLOY' and p_job_type <> 'PLAN'))
    and status in ('QUEUED', 'CLAIMED', 'PROCESSING');
  if found then
    perform private.raise_error('vine_busy', v_label, v_job.job_type);
  end if;
  if p_job_type = 'DESTROY' and v_vine.environment_stage = 'production'
    and p_confirm_name is distinct from v_vine.project_name then
    perform private.raise_error('destroy_protected', v_label);
  end if;

  insert into public.provision_jobs (
    account_id, user_id, vineyard_id, vine_id, cloud_identity_id, job_type, vine_status_before, idempotency_key
  ) values (
    v_account_id, private.current_user_id(), v_vine.vineyard_id, v_vine.id, v_vine.cloud_identity_id,
    p_job_type, v_vine.status, p_idempotency_key
  )
  on conflict (user_id, idempotency_key) do nothing
  returning * into v_job;
  -- another call with this key, for another vine, was quicker
  if not found then
    perform private.raise_error('idempotency_key_reused', id::text) from public.provision_jobs
    where user_id = private.current_user_id() and idempotency_key = p_idempotency_key;
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
  p_vine_id uuid, p_job_type text, p_idempotency_key text default null, p_confirm_name text default null
)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.enqueue_job(p_vine_id, p_job_type, p_idempotency_key, p_confirm_name) $$;
comment on function public.enqueue_job is
  'Queues a PLAN, DEPLOY or DESTROY of a vine. The same idempotency key gives the same job again. '
  'Destroying a production vine needs its project name in p_confirm_name. For operators.';
grant execute on function public.enqueue_job to authenticated;

create function private.cancel_job(p_job_id uuid)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  select j.* into v_job from public.provision_jobs as j
  where j.id = p_job_id and j.account_id = any (array(select private.account_ids('viewer')))
  for update;
  if not found then
    perform private.raise_error('not_found', 'job', p_job_id::text);
  end if;
  perform private.require_role(v_job.account_id, 'operator', 'cancel jobs');
  if v_job.status in ('QUEUED', 'CLAIMED') then
    update public.provision_jobs set status = 'CANCELLED', completed_at = now(), cancel_requested_at = now()
    where id = p_job_id returning * into v_job;
    perform private.settle_vine(v_job, 'CANCELLED');
  elsif v_job.status = 'PROCESSING' then
    update public.provision_jobs set cancel_requested_at = coalesce(cancel_requested_at, now())
    where id = p_job_id returning * into v_job;
  else
    perform private.raise_error('job_ended', p_job_id::text, v_job.status::text);
  end if;
  return v_job;
end;
$$;
comment on function private.cancel_job is 'See public.cancel_job.';
grant execute on function private.cancel_job to authenticated;

create function public.cancel_job(p_job_id uuid)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.cancel_job(p_job_id) $$;
comment on function public.cancel_job is
  'Cancels a job that has not started; asks the Tendril of one that has to stop. For operators.';
grant execute on function public.cancel_job to authenticated;
