-- Terraform state, encrypted, one a vine. The Tendril turns Terraform's HTTP backend into these calls;
-- every one shows the job's fence, and the lock belongs to a job, so that it ends with it.

create table private.terraform_states (
  vine_id uuid primary key references public.vines (id) on delete cascade,
  lineage text,
  serial bigint,
  ciphertext text,
  lock_info jsonb,
  lock_job_id uuid references public.provision_jobs (id) on delete set null,
  lock_attempt integer,
  updated_at timestamptz not null default now()
);
comment on table private.terraform_states is 'The newest Terraform state of each vine, and who holds its lock.';
comment on column private.terraform_states.lock_info is 'What Terraform sent when it took the lock: ID, Operation, Who …';
create index terraform_states_lock_job_id_idx on private.terraform_states (lock_job_id);
insert into private.encrypted_columns (table_name, column_name, purpose, row_id_column) values
  ('private.terraform_states', 'ciphertext', 'terraform_state', 'vine_id');

alter table private.terraform_states enable row level security;

create function private.lock_terraform_state(p_job_id uuid, p_attempt integer, p_lock_info jsonb)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_state private.terraform_states;
begin
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

create function private.get_terraform_state(p_job_id uuid, p_attempt integer)
returns text
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
begin
  return (
    select private.decrypt(s.ciphertext, 'terraform_state', s.vine_id)
    from private.terraform_states as s
    where s.vine_id = v_job.vine_id and s.ciphertext is not null
  );
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
begin
  -- json, not jsonb: a state may hold characters that jsonb does not take
  lineage := p_state::json ->> 'lineage';
  serial := p_state::json ->> 'serial';
exception
  -- PostgreSQL's own message would show the place, with the secrets around it
  when data_exception then
    null;
end;
$$;
comment on function private.read_state_header is
  'Lineage and serial of a Terraform state; null where it has none or is no JSON. For put_terraform_state.';

create function private.put_terraform_state(
  p_job_id uuid, p_attempt integer, p_state text, p_lock_id text
)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_lineage text;
  v_serial bigint;
  v_state private.terraform_states;
begin
  select h.lineage, h.serial into v_lineage, v_serial from private.read_state_header(p_state) as h;
  if v_lineage is null or v_serial is null then
    perform private.raise_error('invalid_input', 'A Terraform state has a lineage and a serial.');
  end if;
  select * into v_state from private.terraform_states where vine_id = v_job.vine_id for update;
  if not found or v_state.lock_job_id is distinct from v_job.id
    or v_state.lock_info ->> 'ID' is distinct from p_lock_id then
    perform private.raise_error('state_conflict', 'this job does not hold its lock');
  elsif v_state.lineage is not null and v_state.lineage <> v_lineage then
    perform private.raise_error('state_conflict', 'it is of another lineage');
  elsif v_state.serial > v_serial then
    perform private.raise_error('state_conflict', format('its serial is %s, not %s', v_state.serial, v_serial));
  elsif v_state.serial = v_serial
    and private.decrypt(v_state.ciphertext, 'terraform_state', v_state.vine_id) is distinct from p_state then
    perform private.raise_error('state_conflict', format('its serial %s holds something else', v_serial));
  end if;
  update private.terraform_states
  set lineage = v_lineage,
      serial = v_serial,
      ciphertext = private.encrypt(p_state, 'terraform_state', v_job.vine_id),
      updated_at = now()
  where vine_id = v_job.vine_id;
end;
$$;
comment on function private.put_terraform_state is 'See public.put_terraform_state.';
grant execute on function private.put_terraform_state to authenticated;

create function public.put_terraform_state(p_job_id uuid, p_attempt integer, p_state text, p_lock_id text)
returns void
language sql volatile set search_path = ''
as $$ select private.put_terraform_state(p_job_id, p_attempt, p_state, p_lock_id) $$;
comment on function public.put_terraform_state is
  'Stores the vine''s Terraform state, encrypted. Refused without the lock, with another lineage, or with an older '
  'serial, or with the same serial and other content. For the Tendril that holds the job.';
grant execute on function public.put_terraform_state to authenticated;
