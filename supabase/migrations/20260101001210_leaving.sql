-- Leaving: a Tendril serves the accounts that its owner administers. When that ends, it loses their jobs
-- at once: held_job refuses whatever it still says, and what it held is resolved as if it were lost.

create function private.serves(p_worker_id uuid, p_account_id uuid)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
  return exists (
    select
    from public.workers as w
    left join public.accounts_memberships as m
      on m.account_id = p_account_id and m.user_id = w.user_id and m.role >= 'admin'
    where w.id = p_worker_id and (w.mode = 'cloud-hosted' or m.user_id is not null)
  );
end;
$$;
comment on function private.serves is
  'Whether a Tendril, a removed one too, may still report on a job of this account. For held_job: a claim that was under '
  'way while its owner was removed is refused there.';

create function private.lock_jobs(p_job_ids uuid[])
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform from public.provision_jobs where id = any (p_job_ids) order by id for update;
  perform from public.vines
  where id in (select j.vine_id from public.provision_jobs as j where j.id = any (p_job_ids))
  order by id
  for no key update;
end;
$$;
comment on function private.lock_jobs is
  'Locks jobs and then their vines, each in the order of their ids, as everyone does who works on several and cannot pass '
  'over what another holds.';

create function private.tg_accounts_memberships__resolve_jobs()
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
  -- those whose approval goes too
  perform private.lock_jobs(array(
    select o.job_id
    from public.workers as w
    join private.open_jobs as o on o.worker_id = w.id
    where w.user_id = old.user_id and w.mode = 'self-hosted' and o.account_id = old.account_id
    union all
    select a.id from public.provision_jobs as a
    where a.approved_by = old.user_id and a.account_id = old.account_id and a.completed_at is null
  ));
  for v_job in
    select j.*
    from public.workers as w
    join private.open_jobs as o on o.worker_id = w.id
    join public.provision_jobs as j on j.id = o.job_id and j.worker_id = w.id
    where w.user_id = old.user_id and w.mode = 'self-hosted'
      and j.account_id = old.account_id and j.status in ('CLAIMED', 'PROCESSING')
    order by j.id
    for update of j
  loop
    perform private.resolve_lost_job(v_job, 'was withdrawn from this account');
  end loop;
  return null;
end;
$$;
comment on function private.tg_accounts_memberships__resolve_jobs is
  'Takes an account''s jobs from the Tendrils of one who no longer administers it.';

create function private.tg_workers__resolve_jobs()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_job public.provision_jobs;
begin
  perform private.lock_jobs(array(select o.job_id from private.open_jobs as o where o.worker_id = old.id));
  for v_job in
    select j.* from public.provision_jobs as j
    where j.id in (select o.job_id from private.open_jobs as o where o.worker_id = old.id)
      and j.worker_id = old.id and j.completed_at is null
  loop
    perform private.resolve_lost_job(v_job, 'was removed');
  end loop;
  return old;
end;
$$;
comment on function private.tg_workers__resolve_jobs is
  'Takes the jobs of other accounts from a cloud-hosted Tendril that goes with its owner.';

create trigger resolve_jobs
before delete on public.workers
for each row execute function private.tg_workers__resolve_jobs();

create trigger resolve_jobs_left
after delete on public.accounts_memberships
for each row when (old.role >= 'admin')
execute function private.tg_accounts_memberships__resolve_jobs();

create trigger resolve_jobs_changed
after update on public.accounts_memberships
for each row when (old.role >= 'admin' and (new.role < 'admin' or new.account_id <> old.account_id))
execute function private.tg_accounts_memberships__resolve_jobs();
