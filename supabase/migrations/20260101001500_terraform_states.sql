-- Terraform state, encrypted, in versions: one for each job that changed it. The Tendril turns Terraform's
-- HTTP backend into these calls; every one shows the job's fence, and the lock belongs to a job, so that
-- it ends with it. Admins put back what a Tendril could not save, and take an older version up again.
--
-- Serials only grow, so the newest version is the one with the highest.

--------------------------------------------------------------------------------------------------
-- Tables
--------------------------------------------------------------------------------------------------

create table private.terraform_states (
  vine_id uuid primary key references public.vines (id) on delete cascade,
  lock_info jsonb,
  lock_job_id uuid references public.provision_jobs (id) on delete set null,
  lock_attempt integer
);
comment on table private.terraform_states is 'Who holds the lock of each vine''s Terraform state.';
comment on column private.terraform_states.lock_info is 'What Terraform sent when it took the lock: ID, Operation, Who …';
create index terraform_states_lock_job_id_idx on private.terraform_states (lock_job_id);

create table private.terraform_state_versions (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  lineage text not null,
  serial bigint not null,
  ciphertext text not null,
  size integer not null,
  sha256 text not null,
  job_id uuid references public.provision_jobs (id) on delete set null,
  user_id uuid references auth.users (id) on delete set null,
  created_at timestamptz not null default clock_timestamp(),
  unique (vine_id, serial)
);
comment on table private.terraform_state_versions is 'The Terraform states of each vine: the newest and those before it.';
comment on column private.terraform_state_versions.size is 'Of the state, in bytes.';
comment on column private.terraform_state_versions.sha256 is 'Of the state, in hexadecimal.';
comment on column private.terraform_state_versions.job_id is 'The job that stored it; it keeps the last of each.';
comment on column private.terraform_state_versions.user_id is 'Who put it back or took it up again; null where a job stored it.';
create index terraform_state_versions_job_id_idx on private.terraform_state_versions (job_id);
create index terraform_state_versions_user_id_idx on private.terraform_state_versions (user_id);
insert into private.encrypted_columns (table_name, column_name, purpose) values
  ('private.terraform_state_versions', 'ciphertext', 'terraform_state');

alter table private.terraform_states enable row level security;
alter table private.terraform_state_versions enable row level security;

create function private.kept_state_versions()
returns integer
language sql immutable set search_path = ''
as $$ select 20 $$;
comment on function private.kept_state_versions is 'How many versions of a vine''s state are kept.';

create function private.newest_state(p_vine_id uuid)
returns private.terraform_state_versions
language sql stable security definer set search_path = ''
as $$
  select v.* from private.terraform_state_versions as v
  where v.vine_id = p_vine_id order by v.serial desc limit 1;
$$;
comment on function private.newest_state is 'The newest version of a vine''s state, or nulls. Granted to nobody.';

--------------------------------------------------------------------------------------------------
-- The lock
--------------------------------------------------------------------------------------------------

create function private.lock_terraform_state(p_job_id uuid, p_attempt integer, p_lock_info jsonb)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_state private.terraform_states;
begin
  -- a job that has not started did no harm if it is lost: it must not have run Terraform
  if v_job.vine_id is null or v_job.status <> 'PROCESSING' or jsonb_typeof(p_lock_info) is distinct from 'object' then
    perform private.raise_error('invalid_input', 'A lock is an object, taken for a job of a vine that has started.');
  end if;
  perform private.require_size('This lock', p_lock_info::text, 8 * 1024);
  insert into private.terraform_states (vine_id) values (v_job.vine_id) on conflict (vine_id) do nothing;
  select * into strict v_state from private.terraform_states where vine_id = v_job.vine_id for update;
  if v_state.lock_info is not null
    and v_state.lock_info ->> 'ID' is distinct from p_lock_info ->> 'ID'
    and exists (
      select from public.provision_jobs as j
      where j.id = v_state.lock_job_id and j.attempt = v_state.lock_attempt and j.status = 'PROCESSING'
    ) then
    return v_state.lock_info;
  end if;
  update private.terraform_states
  set lock_info = p_lock_info, lock_job_id = v_job.id, lock_attempt = v_job.attempt
  where vine_id = v_job.vine_id;
  return null;
end;
$$;
comment on function private.lock_terraform_state is 'See public.lock_terraform_state.';
grant execute on function private.lock_terraform_state to authenticated;

create function public.lock_terraform_state(p_job_id uuid, p_attempt integer, p_lock_info jsonb)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.lock_terraform_state(p_job_id, p_attempt, p_lock_info) $$;
comment on function public.lock_terraform_state is
  'Takes the lock of the vine''s state and returns null, or returns the holder''s lock info. A lock whose job has '
  'ended does not hold. For the Tendril that holds the job.';
grant execute on function public.lock_terraform_state to authenticated;

create function private.unlock_terraform_state(p_job_id uuid, p_attempt integer, p_lock_id text)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
begin
  update private.terraform_states
  set lock_info = null, lock_job_id = null, lock_attempt = null
  where vine_id = v_job.vine_id and lock_job_id = v_job.id
    and (p_lock_id is null or lock_info ->> 'ID' = p_lock_id);
end;
$$;
comment on function private.unlock_terraform_state is 'See public.unlock_terraform_state.';
grant execute on function private.unlock_terraform_state to authenticated;

create function public.unlock_terraform_state(p_job_id uuid, p_attempt integer, p_lock_id text default null)
returns void
language sql volatile set search_path = ''
as $$ select private.unlock_terraform_state(p_job_id, p_attempt, p_lock_id) $$;
comment on function public.unlock_terraform_state is
  'Gives back the lock that this job took. For the Tendril that holds the job.';
grant execute on function public.unlock_terraform_state to authenticated;

--------------------------------------------------------------------------------------------------
-- Reading and writing, for the job that runs
--------------------------------------------------------------------------------------------------

create function private.get_terraform_state(p_job_id uuid, p_attempt integer)
returns text
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_newest constant private.terraform_state_versions := private.newest_state(v_job.vine_id);
begin
  return private.decrypt(v_newest.ciphertext, 'terraform_state', v_newest.id);
end;
$$;
comment on function private.get_terraform_state is 'See public.get_terraform_state.';
grant execute on function private.get_terraform_state to authenticated;

create function public.get_terraform_state(p_job_id uuid, p_attempt integer)
returns text
language sql volatile set search_path = ''
as $$ select private.get_terraform_state(p_job_id, p_attempt) $$;
comment on function public.get_terraform_state is
  'The vine''s Terraform state as it was stored, or null where there is none. For the Tendril that holds the job.';
grant execute on function public.get_terraform_state to authenticated;

create function private.read_state_header(p_state text, out lineage text, out serial bigint)
language plpgsql immutable set search_path = ''
as $$
declare
  v_state json;
begin
  -- a value may hold a NUL, which no text of PostgreSQL's does
  v_state := replace(p_state, '\u0000', '\u0020');
  lineage := v_state ->> 'lineage';
  serial := v_state ->> 'serial';
exception
  -- PostgreSQL's own message would show the place, with the secrets around it
  when data_exception then
    null;
end;
$$;
comment on function private.read_state_header is
  'Lineage and serial of a Terraform state; null where it has none or is no JSON. For store_state.';

create function private.store_state(p_vine_id uuid, p_state text, p_job_id uuid, p_user_id uuid)
returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_size constant integer := private.require_size('This Terraform state', p_state, 32 * 1024 * 1024);
  v_sha256 constant text := encode(sha256(convert_to(p_state, 'UTF8')), 'hex');
  v_newest constant private.terraform_state_versions := private.newest_state(p_vine_id);
  v_id constant uuid := gen_random_uuid();
  v_lineage text;
  v_serial bigint;
begin
  select h.lineage, h.serial into v_lineage, v_serial from private.read_state_header(p_state) as h;
  if v_lineage is null or v_serial is null then
    perform private.raise_error('invalid_input', 'A Terraform state has a lineage and a serial.');
  elsif v_serial < 0 or v_serial > coalesce(v_newest.serial, 0) + 1000000 then
    -- Terraform counts by one; after the last number there is, nobody could write a newer state
    perform private.raise_error('state_conflict', format('its serial %s is none that could follow', v_serial));
  end if;
  -- it stands beside the ciphertext, for members to read
  perform private.require_size('Its lineage', v_lineage, 200);
  if v_newest.lineage <> v_lineage then
    perform private.raise_error('state_conflict', 'it is of another lineage');
  elsif v_newest.serial > v_serial then
    perform private.raise_error('state_conflict', format('its serial is %s, not %s', v_newest.serial, v_serial));
  elsif v_newest.serial = v_serial and v_newest.sha256 <> v_sha256 then
    perform private.raise_error('state_conflict', format('its serial %s holds something else', v_serial));
  elsif v_newest.serial = v_serial then
    return v_serial;
  end if;
  delete from private.terraform_state_versions where vine_id = p_vine_id and job_id = p_job_id;
  insert into private.terraform_state_versions (id, vine_id, lineage, serial, ciphertext, size, sha256, job_id, user_id)
  values (
    v_id, p_vine_id, v_lineage, v_serial, private.encrypt(p_state, 'terraform_state', v_id), v_size, v_sha256,
    p_job_id, p_user_id
  );
  delete from private.terraform_state_versions
  where vine_id = p_vine_id and serial <= (
    select v.serial from private.terraform_state_versions as v
    where v.vine_id = p_vine_id order by v.serial desc offset private.kept_state_versions() limit 1
  );
  return v_serial;
end;
$$;
comment on function private.store_state is
  'Adds a version, one a job, and drops those that are too many; refuses another lineage, an older serial, and the same '
  'serial with other content. For the functions below, which hold the row of private.terraform_states.';

create function private.put_terraform_state(
  p_job_id uuid, p_attempt integer, p_state text, p_lock_id text
)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
begin
  -- locked it may be: what is read should not change meanwhile
  if (select t.reads_only from public.job_types as t where t.job_type = v_job.job_type) then
    perform private.raise_error('invalid_input', format('A %s writes no Terraform state.', v_job.job_type));
  end if;
  perform from private.terraform_states as s
  where s.vine_id = v_job.vine_id
    and (s.lock_job_id, s.lock_attempt) = (v_job.id, v_job.attempt)
    and s.lock_info ->> 'ID' is not distinct from p_lock_id
  for update;
  if not found then
    perform private.raise_error('state_conflict', 'this job does not hold its lock');
  end if;
  perform private.store_state(v_job.vine_id, p_state, v_job.id, null);
end;
$$;
comment on function private.put_terraform_state is 'See public.put_terraform_state.';
grant execute on function private.put_terraform_state to authenticated;

create function public.put_terraform_state(p_job_id uuid, p_attempt integer, p_state text, p_lock_id text)
returns void
language sql volatile set search_path = ''
as $$ select private.put_terraform_state(p_job_id, p_attempt, p_state, p_lock_id) $$;
comment on function public.put_terraform_state is
  'Stores the vine''s Terraform state, encrypted. Refused for a job that only reads, as a PLAN, without the lock, with '
  'another lineage, with an older serial, or with the same serial and other content. For the Tendril that holds the job.';
grant execute on function public.put_terraform_state to authenticated;

--------------------------------------------------------------------------------------------------
-- Versions, for people
--------------------------------------------------------------------------------------------------

create function private.terraform_state_versions(p_vine_id uuid)
returns table (
  serial bigint, lineage text, size integer, sha256 text, job_id uuid, user_id uuid, created_at timestamptz
)
language sql stable security definer set search_path = ''
as $$
  select v.serial, v.lineage, v.size, v.sha256, v.job_id, v.user_id, v.created_at
  from private.terraform_state_versions as v
  join public.vines as n on n.id = v.vine_id
  where v.vine_id = p_vine_id and n.account_id = any (array(select * from private.account_ids('viewer')))
  order by v.serial desc;
$$;
comment on function private.terraform_state_versions is 'See public.terraform_state_versions.';
grant execute on function private.terraform_state_versions to authenticated;

create function public.terraform_state_versions(p_vine_id uuid)
returns table (
  serial bigint, lineage text, size integer, sha256 text, job_id uuid, user_id uuid, created_at timestamptz
)
language sql stable set search_path = ''
as $$ select * from private.terraform_state_versions(p_vine_id) $$;
comment on function public.terraform_state_versions is
  'What versions there are of a vine''s Terraform state, the newest first, never what is in them. For members.';
grant execute on function public.terraform_state_versions to authenticated;

create function private.lock_resting_vine(p_vine_id uuid)
returns public.vines
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_vine public.vines;
  v_job public.provision_jobs;
begin
  select v.* into v_vine from public.vines as v
  where v.id = p_vine_id and v.account_id = any (array(select * from private.account_ids('viewer')))
  for no key update;
  if not found then
    perform private.raise_error('not_found', 'vine', p_vine_id::text);
  end if;
  perform private.require_role(v_vine.account_id, 'admin', 'change a Terraform state');
  -- a claim of this vine that is under way ends before the look below, and none begins after it
  perform from private.open_jobs where vine_id = p_vine_id and waiting_on = 'tendril' for update;
  select j.* into v_job
  from private.open_jobs as o
  join public.provision_jobs as j on j.id = o.job_id
  where o.vine_id = p_vine_id and o.waiting_on is null;
  if found then
    perform private.raise_error('vine_busy', private.vine_label(v_vine), v_job.job_type);
  elsif v_vine.status = 'DESTROYED' then
    perform private.raise_error('vine_destroyed', private.vine_label(v_vine));
  end if;
  insert into private.terraform_states (vine_id) values (p_vine_id) on conflict (vine_id) do nothing;
  perform from private.terraform_states where vine_id = p_vine_id for update;
  return v_vine;
end;
$$;
comment on function private.lock_resting_vine is
  'Locks a vine and its state while no job of it runs; refuses a vine that is busy or DESTROYED, and who is no admin. '
  'For the two functions below.';

create function private.audit_state(p_vine public.vines, p_before bigint, p_after bigint, p_from bigint)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.write_audit(
    p_vine.account_id, p_vine.id, 'UPDATED', 'terraform_state', p_vine.id,
    jsonb_build_object('serial', jsonb_strip_nulls(
      jsonb_build_object('before', p_before, 'after', p_after, 'restored_from', p_from))));
end;
$$;
comment on function private.audit_state is 'Notes that a person changed a Terraform state. For the two functions below.';

create function private.push_terraform_state(p_vine_id uuid, p_state text)
returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_vine constant public.vines := private.lock_resting_vine(p_vine_id);
  v_newest constant private.terraform_state_versions := private.newest_state(p_vine_id);
  v_serial bigint;
begin
  if v_vine.status = 'DRAFT' then
    perform private.raise_error('invalid_input', 'A DRAFT has no Terraform state: nothing of it was ever deployed.');
  end if;
  v_serial := private.store_state(p_vine_id, p_state, null, private.current_user_id());
  if v_serial is distinct from v_newest.serial then
    perform private.audit_state(v_vine, v_newest.serial, v_serial, null);
  end if;
  return v_serial;
end;
$$;
comment on function private.push_terraform_state is 'See public.push_terraform_state.';
grant execute on function private.push_terraform_state to authenticated;

create function public.push_terraform_state(p_vine_id uuid, p_state text)
returns bigint
language sql volatile set search_path = ''
as $$ select private.push_terraform_state(p_vine_id, p_state) $$;
comment on function public.push_terraform_state is
  'Puts back a state that a Tendril could not save and kept; gives its serial. Refused while a job of the vine runs, with '
  'another lineage, and with a serial that is not newer. For admins.';
grant execute on function public.push_terraform_state to authenticated;

create function private.restore_terraform_state(p_vine_id uuid, p_serial bigint)
returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_vine constant public.vines := private.lock_resting_vine(p_vine_id);
  v_newest constant private.terraform_state_versions := private.newest_state(p_vine_id);
  v_version private.terraform_state_versions;
  v_state text;
begin
  select * into v_version from private.terraform_state_versions where vine_id = p_vine_id and serial = p_serial;
  if not found then
    perform private.raise_error('not_found', 'version of this state with serial', p_serial::text);
  end if;
  v_state := regexp_replace(
    private.decrypt(v_version.ciphertext, 'terraform_state', v_version.id),
    format('("serial"\s*:\s*)%s(?!\d)', p_serial), '\1' || v_newest.serial + 1);
  -- Terraform writes the header first; another's state might begin otherwise
  if (private.read_state_header(v_state)).serial is distinct from v_newest.serial + 1 then
    perform private.raise_error('state_conflict', 'that version cannot be given a newer serial');
  end if;
  perform private.store_state(p_vine_id, v_state, null, private.current_user_id());
  perform private.audit_state(v_vine, v_newest.serial, v_newest.serial + 1, p_serial);
  return v_newest.serial + 1;
end;
$$;
comment on function private.restore_terraform_state is 'See public.restore_terraform_state.';
grant execute on function private.restore_terraform_state to authenticated;

create function public.restore_terraform_state(p_vine_id uuid, p_serial bigint)
returns bigint
language sql volatile set search_path = ''
as $$ select private.restore_terraform_state(p_vine_id, p_serial) $$;
comment on function public.restore_terraform_state is
  'Takes an older version of a state up again, as a new version whose serial it gives. What the cloud holds is not '
  'changed by it. Refused while a job of the vine runs. For admins.';
grant execute on function public.restore_terraform_state to authenticated;
