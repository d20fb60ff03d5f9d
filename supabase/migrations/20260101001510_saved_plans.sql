-- Saved plans: what a PLAN found is kept, encrypted, for the DEPLOY that names it. A plan is of use for a
-- week, and for as long as what it rests on is as it was: the vine, its components, its cloud identity and
-- its Terraform state.

create table private.saved_plans (
  job_id uuid primary key references public.provision_jobs (id) on delete cascade,
  ciphertext text not null,
  state_lineage text,
  state_serial bigint,
  expires_at timestamptz not null,
  handed_to_job_id uuid references public.provision_jobs (id) on delete set null,
  handed_to_attempt integer
);
comment on table private.saved_plans is 'The saved plan of each PLAN, until it has been applied or has expired.';
comment on column private.saved_plans.state_lineage is 'Of the state that was planned from; null where there was none.';
comment on column private.saved_plans.handed_to_job_id is 'The DEPLOY whose Tendril has fetched it.';
create index saved_plans_expires_at_idx on private.saved_plans (expires_at);
create index saved_plans_handed_to_job_id_idx on private.saved_plans (handed_to_job_id);
insert into private.encrypted_columns (table_name, column_name, purpose, row_id_column) values
  ('private.saved_plans', 'ciphertext', 'saved_plan', 'job_id');

alter table private.saved_plans enable row level security;

create function private.plan_lifetime()
returns interval
language sql immutable set search_path = ''
as $$ select interval '7 days' $$;
comment on function private.plan_lifetime is 'How long a saved plan may be applied.';

--------------------------------------------------------------------------------------------------
-- Whether one may be applied
--------------------------------------------------------------------------------------------------

create function private.require_usable_plan(p_plan_job_id uuid, p_vine_id uuid)
returns private.saved_plans
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_plan public.provision_jobs;
  v_saved private.saved_plans;
  v_state constant private.terraform_state_versions := private.newest_state(p_vine_id);
  v_obstacle text;
begin
  select * into v_plan from public.provision_jobs
  where id = p_plan_job_id and vine_id = p_vine_id and job_type = 'PLAN';
  if not found then
    perform private.raise_error('not_found', 'PLAN of this vine', p_plan_job_id::text);
  end if;
  select * into v_saved from private.saved_plans where job_id = p_plan_job_id;
  v_obstacle := case
    when v_plan.status <> 'SUCCESS' then 'that job is ' || v_plan.status
    when v_saved.job_id is null then 'it was not saved, or has been applied'
    when v_saved.expires_at <= now() then 'it has expired'
    when (v_saved.state_lineage, v_saved.state_serial) is distinct from (v_state.lineage, v_state.serial) then
      'the Terraform state has changed since'
    when exists (
      select from public.provision_jobs as j
      where j.vine_id = p_vine_id and j.job_type in ('DEPLOY', 'DESTROY')
        and j.started_at > v_plan.started_at and j.completed_at is not null
    ) then 'the vine was deployed or destroyed since'
    when v_plan.context_sha256 is distinct from (
      select private.context_sha256(v.id, v.cloud_identity_id) from public.vines as v where v.id = p_vine_id
    ) then
      'the vine, its components or its cloud identity are not what was planned'
  end;
  if v_obstacle is not null then
    perform private.raise_error('plan_unusable', p_plan_job_id::text, v_obstacle);
  end if;
  return v_saved;
end;
$$;
comment on function private.require_usable_plan is
  'The saved plan of a PLAN of this vine; refuses one that is missing, expired or overtaken. For whoever queues, approves '
  'or applies it.';

create function private.plan_expires_at(p_job_id uuid)
returns timestamptz
language sql stable security definer set search_path = ''
as $$
  select s.expires_at from private.saved_plans as s
  join public.provision_jobs as j on j.id = s.job_id
  where s.job_id = p_job_id and j.account_id = any (array(select * from private.account_ids('viewer')));
$$;
comment on function private.plan_expires_at is 'See public.plan_expires_at.';
grant execute on function private.plan_expires_at to authenticated;

create function public.plan_expires_at(p_job public.provision_jobs)
returns timestamptz
language sql stable set search_path = ''
as $$ select private.plan_expires_at(p_job.id) $$;
comment on function public.plan_expires_at is
  'Until when a PLAN''s saved plan may be applied; null where there is none. A computed field: select=*,plan_expires_at. '
  'For whoever sees the job.';
grant execute on function public.plan_expires_at to authenticated;

--------------------------------------------------------------------------------------------------
-- Saving and applying
--------------------------------------------------------------------------------------------------

create function private.put_saved_plan(p_job_id uuid, p_attempt integer, p_plan text, p_summary jsonb)
returns timestamptz
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_state constant private.terraform_state_versions := private.newest_state(v_job.vine_id);
  v_expires_at constant timestamptz := now() + private.plan_lifetime();
  v_has_content boolean;
begin
  if v_job.job_type <> 'PLAN' then
    perform private.raise_error('invalid_input', 'Only a PLAN saves its plan.');
  elsif v_job.context_sha256 is null then
    perform private.raise_error('invalid_input', 'A plan is of what get_job_context tells: ask for that first.');
  elsif jsonb_typeof(p_summary) <> 'object' then
    perform private.raise_error('invalid_input', 'A plan''s summary is an object.');
  end if;
  perform private.require_size('This saved plan', p_plan, 32 * 1024 * 1024);
  perform private.require_size('This summary of a plan', p_summary::text, 64 * 1024);
  begin
    v_has_content := length(decode(p_plan, 'base64')) > 0;
  exception
    when invalid_parameter_value then
      null;
  end;
  if not coalesce(v_has_content, false) then
    perform private.raise_error('invalid_input', 'A saved plan is sent as Base64.');
  end if;
  delete from private.saved_plans
  where job_id in (select s.job_id from private.saved_plans as s where s.expires_at <= now() for update skip locked);
  insert into private.saved_plans (job_id, ciphertext, state_lineage, state_serial, expires_at)
  values (
    v_job.id, private.encrypt(p_plan, 'saved_plan', v_job.id), v_state.lineage, v_state.serial, v_expires_at
  )
  on conflict (job_id) do update
  set ciphertext = excluded.ciphertext, state_lineage = excluded.state_lineage, state_serial = excluded.state_serial,
      expires_at = excluded.expires_at;
  if p_summary is not null then
    update public.provision_jobs set execution_metadata = execution_metadata || jsonb_build_object('plan', p_summary)
    where id = v_job.id;
  end if;
  return v_expires_at;
end;
$$;
comment on function private.put_saved_plan is 'See public.put_saved_plan.';
grant execute on function private.put_saved_plan to authenticated;

create function public.put_saved_plan(p_job_id uuid, p_attempt integer, p_plan text, p_summary jsonb default null)
returns timestamptz
language sql volatile set search_path = ''
as $$ select private.put_saved_plan(p_job_id, p_attempt, p_plan, p_summary) $$;
comment on function public.put_saved_plan is
  'Keeps a plan, encrypted, and returns when it expires. p_plan is Base64 of whatever the Tendril needs to apply it; '
  'p_summary, which members read, becomes execution_metadata.plan. For the Tendril that holds the PLAN.';
grant execute on function public.put_saved_plan to authenticated;

create function private.get_saved_plan(p_job_id uuid, p_attempt integer)
returns text
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_saved private.saved_plans;
begin
  if v_job.plan_job_id is null then
    return null;
  end if;
  v_saved := private.require_usable_plan(v_job.plan_job_id, v_job.vine_id);
  update private.saved_plans set handed_to_job_id = v_job.id, handed_to_attempt = v_job.attempt
  where job_id = v_saved.job_id;
  return private.decrypt(v_saved.ciphertext, 'saved_plan', v_saved.job_id);
end;
$$;
comment on function private.get_saved_plan is 'See public.get_saved_plan.';
grant execute on function private.get_saved_plan to authenticated;

create function public.get_saved_plan(p_job_id uuid, p_attempt integer)
returns text
language sql volatile set search_path = ''
as $$ select private.get_saved_plan(p_job_id, p_attempt) $$;
comment on function public.get_saved_plan is
  'The saved plan that a DEPLOY is to apply, as it was put, or null for one that plans anew. Refused once it has expired '
  'or been overtaken; ask before start_job, so that the vine is then given back as it was. For the Tendril that holds the job.';
grant execute on function public.get_saved_plan to authenticated;

create function private.require_fetched_plan(p_job public.provision_jobs, p_attempt integer)
returns void
language plpgsql stable security definer set search_path = ''
as $$
begin
  if p_job.plan_job_id is not null and not exists (
    select from private.saved_plans as s
    where s.job_id = p_job.plan_job_id and (s.handed_to_job_id, s.handed_to_attempt) = (p_job.id, p_attempt)
  ) then
    perform private.raise_error('plan_unusable', p_job.plan_job_id::text, 'the Tendril has not fetched it');
  end if;
end;
$$;
comment on function private.require_fetched_plan is
  'Refuses where a Tendril has not fetched the plan which its job names: it would apply another, or none. For the triggers below.';

create function private.tg_terraform_states__hold_to_plan()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.require_fetched_plan(j, new.lock_attempt)
  from public.provision_jobs as j
  where j.id = new.lock_job_id;
  return new;
end;
$$;
comment on function private.tg_terraform_states__hold_to_plan is 'Nobody locks the state for another plan than the one to be applied.';

create trigger hold_to_plan
before update on private.terraform_states
for each row when (new.lock_job_id is not null)
execute function private.tg_terraform_states__hold_to_plan();

create function private.settle_plan(p_job public.provision_jobs, p_status public.provision_job_status)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if p_status = 'SUCCESS' then
    perform private.require_fetched_plan(p_job, p_job.attempt);
  end if;
  delete from private.saved_plans where job_id = p_job.plan_job_id;
end;
$$;
comment on function private.settle_plan is
  'A plan that was begun to be applied is of no further use; who never fetched it has not applied it. For settle_job.';
