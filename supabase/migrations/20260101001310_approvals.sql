-- Approvals: in a vineyard that asks for it, a DEPLOY or DESTROY of a production vine waits until an admin
-- who neither asked for it nor planned it has approved it. A DEPLOY names its PLAN, so that what is
-- approved is what is applied. The rule at the time of asking counts: a job keeps what it was queued under.
-- The approver counts until the job starts: an approval is withdrawn with the role that it was given in.

create function private.audit_job(p_job public.provision_jobs, p_changes jsonb)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.write_audit(p_job.account_id, p_job.vine_id, 'UPDATED', 'job', p_job.id, p_changes);
end;
$$;
comment on function private.audit_job is 'Notes what a person decided about a job. For approve_job, reject_job and cancel_job.';

create function private.requires_approval(p_vine public.vines, p_job_type text, p_plan_job_id uuid)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
  if p_job_type not in ('DEPLOY', 'DESTROY') or p_vine.environment_stage <> 'production'
    or not (select y.requires_approval from public.vineyards as y where y.id = p_vine.vineyard_id) then
    return false;
  elsif p_job_type = 'DEPLOY' and p_plan_job_id is null then
    perform private.raise_error('plan_required', private.vine_label(p_vine));
  elsif not exists (
    select from public.accounts_memberships as m
    where m.account_id = p_vine.account_id and m.role >= 'admin'
      and m.user_id <> private.current_user_id()
      and m.user_id is distinct from (select p.user_id from public.provision_jobs as p where p.id = p_plan_job_id)
  ) then
    perform private.raise_error('approver_missing', private.vine_label(p_vine));
  end if;
  return true;
end;
$$;
comment on function private.requires_approval is
  'Whether the caller''s job of this vine is to be approved; refuses one that could not be. For enqueue_job.';

create function private.lock_unapproved_job(p_job_id uuid, p_doing text)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.visible_job(p_job_id);
begin
  -- as who changes its members does: an admin who is just being removed approves nothing any more
  perform from public.accounts where id = v_job.account_id for share;
  perform private.require_role(v_job.account_id, 'admin', p_doing);
  select * into v_job from public.provision_jobs where id = p_job_id for update;
  if not found then
    perform private.raise_error('not_found', 'job', p_job_id::text);
  elsif v_job.status <> 'QUEUED' or not v_job.approval_required or v_job.approved_at is not null then
    perform private.raise_error('approval_not_wanted', p_job_id::text);
  end if;
  return v_job;
end;
$$;
comment on function private.lock_unapproved_job is
  'Locks a job that waits for an approval; refuses any other, and who is no admin. For the two functions below.';

create function private.approve_job(p_job_id uuid)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.lock_unapproved_job(p_job_id, 'approve jobs');
begin
  if private.current_user_id() = v_job.user_id or private.current_user_id() = (
    select p.user_id from public.provision_jobs as p where p.id = v_job.plan_job_id
  ) then
    perform private.raise_error('approval_needs_another');
  elsif v_job.plan_job_id is not null then
    perform private.require_usable_plan(v_job.plan_job_id, v_job.vine_id);
  end if;
  update public.provision_jobs set approved_by = private.current_user_id(), approved_at = now()
  where id = p_job_id returning * into v_job;
  perform private.audit_job(v_job, jsonb_build_object('approved_by', jsonb_build_object('after', v_job.approved_by)));
  return v_job;
end;
$$;
comment on function private.approve_job is 'See public.approve_job.';
grant execute on function private.approve_job to authenticated;

create function public.approve_job(p_job_id uuid)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.approve_job(p_job_id) $$;
comment on function public.approve_job is
  'Lets a job that waits for an approval run; refused once its saved plan is of no use. For admins who neither asked for '
  'the job nor for its PLAN.';
grant execute on function public.approve_job to authenticated;

create function private.tg_accounts_memberships__withdraw_approvals()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  -- an account that goes takes its jobs along
  if not exists (select from public.accounts as a where a.id = old.account_id) then
    return null;
  end if;
  for v_job in
    select * from public.provision_jobs as j
    where j.approved_by = old.user_id and j.account_id = old.account_id and j.status in ('QUEUED', 'CLAIMED')
    order by j.vine_id
    for update
  loop
    update public.provision_jobs set approved_by = null, approved_at = null where id = v_job.id;
    perform private.audit_job(v_job, jsonb_build_object('approved_by', jsonb_build_object('before', v_job.approved_by)));
  end loop;
  return null;
end;
$$;
comment on function private.tg_accounts_memberships__withdraw_approvals is
  'What one who is no admin any more has approved waits for an approval again, unless it has started: one that is claimed '
  'does not start.';

create trigger withdraw_approvals_left
after delete on public.accounts_memberships
for each row when (old.role >= 'admin')
execute function private.tg_accounts_memberships__withdraw_approvals();

create trigger withdraw_approvals_changed
after update on public.accounts_memberships
for each row when (old.role >= 'admin' and (new.role < 'admin' or new.account_id <> old.account_id))
execute function private.tg_accounts_memberships__withdraw_approvals();

create function private.reject_job(p_job_id uuid, p_reason text)
returns public.provision_jobs
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs := private.lock_unapproved_job(p_job_id, 'reject jobs');
begin
  if coalesce(btrim(p_reason), '') = '' or length(p_reason) > 1000 then
    perform private.raise_error('invalid_input', 'A rejection says why, in at most 1000 characters.');
  end if;
  perform private.audit_job(v_job, jsonb_build_object('rejected', jsonb_build_object('after', p_reason)));
  perform private.end_job(v_job, 'CANCELLED', 'It was rejected: ' || p_reason);
  select * into strict v_job from public.provision_jobs where id = p_job_id;
  return v_job;
end;
$$;
comment on function private.reject_job is 'See public.reject_job.';
grant execute on function private.reject_job to authenticated;

create function public.reject_job(p_job_id uuid, p_reason text)
returns public.provision_jobs
language sql volatile set search_path = ''
as $$ select private.reject_job(p_job_id, p_reason) $$;
comment on function public.reject_job is
  'Cancels a job that waits for an approval, saying why, and gives its vine back as it was. For admins.';
grant execute on function public.reject_job to authenticated;
