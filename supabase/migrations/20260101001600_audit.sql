-- Audit: who did what to a vine, and to what reaches a cloud. Append-only, and it outlives what it speaks of.

create table public.vine_audit_log (
  id uuid primary key default gen_random_uuid(),
  seq bigint generated always as identity,
  account_id uuid not null,
  vine_id uuid references public.vines (id) on delete set null,
  vine_ref uuid,
  user_id uuid references auth.users (id) on delete set null,
  user_ref uuid,
  action public.audit_action not null,
  component_type text not null,
  component_id uuid not null,
  changes jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.vine_audit_log is
  'What happened to vines and their components, vineyards, cloud identities, provider tokens and memberships. Append-only.';
comment on column public.vine_audit_log.seq is 'The order to read in.';
comment on column public.vine_audit_log.account_id is
  'Whose it was, a provider token its user''s personal account; no foreign key, because the log outlives accounts.';
comment on column public.vine_audit_log.vine_id is 'Null once the vine is deleted, and in entries about no vine.';
comment on column public.vine_audit_log.vine_ref is 'The vine''s id, which stays when the vine is deleted.';
comment on column public.vine_audit_log.user_id is
  'Who did it, a person or a Tendril; null where the database did, and once the user is deleted.';
comment on column public.vine_audit_log.user_ref is 'The user''s id, which stays when the user is deleted.';
comment on column public.vine_audit_log.component_type is 'vine, network, database …, vineyard, cloud_identity, provider_token, membership, job, terraform_state.';
comment on column public.vine_audit_log.component_id is 'Its id; of a membership, the member''s.';
comment on column public.vine_audit_log.changes is 'Per changed column {"before": …, "after": …}; secrets are "redacted".';
create index vine_audit_log_vine_id_idx on public.vine_audit_log (vine_id, seq);
create index vine_audit_log_vine_ref_idx on public.vine_audit_log (vine_ref, seq);
create index vine_audit_log_user_id_idx on public.vine_audit_log (user_id);
create index vine_audit_log_account_id_idx on public.vine_audit_log (account_id, seq);

--------------------------------------------------------------------------------------------------
-- Writing it
--------------------------------------------------------------------------------------------------

create function private.row_diff(p_before jsonb, p_after jsonb, p_secret_columns text[] default '{}')
returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(jsonb_object_agg(
    k.key,
    case
      when k.key = any (p_secret_columns) then '"redacted"'
      else jsonb_strip_nulls(jsonb_build_object('before', p_before -> k.key, 'after', p_after -> k.key))
    end
  ), '{}')
  from jsonb_object_keys(coalesce(p_before, '{}') || coalesce(p_after, '{}')) as k (key)
  where p_before -> k.key is distinct from p_after -> k.key
    and k.key not in ('account_id', 'updated_at', 'created_at')
    -- on an insert or delete, what was never set says nothing
    and coalesce(nullif(p_before -> k.key, 'null'), nullif(p_after -> k.key, 'null')) is not null;
$$;
comment on function private.row_diff is 'The changed columns of a row, before and after. For the audit trigger and apply_manifest.';
grant execute on function private.row_diff to authenticated;

create function private.write_audit(
  p_account_id uuid,
  p_vine_id uuid,
  p_action public.audit_action,
  p_component_type text,
  p_component_id uuid,
  p_changes jsonb default '{}'
)
returns void
language sql volatile security definer set search_path = ''
as $$
  insert into public.vine_audit_log (
    account_id, vine_id, vine_ref, user_id, user_ref, action, component_type, component_id, changes
  )
  select
    p_account_id, (select v.id from public.vines as v where v.id = p_vine_id), p_vine_id,
    (select u.id from auth.users as u where u.id = a.user_id), a.user_id,
    p_action, p_component_type, p_component_id, p_changes
  from (
    select case when current_setting('vintner.acting', true) is distinct from 'database' then private.current_user_id() end
  ) as a (user_id);
$$;
comment on function private.write_audit is
  'Adds an entry, whose actor is the caller unless the database itself acts. For the audit trigger and reveal functions.';

create function private.tg_audit()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_component_type constant text := tg_argv[0];
  v_before constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_after constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_row constant jsonb := coalesce(v_after, v_before);
  v_vine_id constant uuid := v_row ->> case when v_component_type = 'vine' then 'id' else 'vine_id' end;
  v_changes constant jsonb := private.row_diff(
    v_before, v_after, array(select c.column_name from private.encrypted_columns as c where c.table_name = tg_relid));
  v_account_id constant uuid := case
    when v_row ? 'account_id' then (v_row ->> 'account_id')::uuid
    else (select a.id from public.accounts as a where a.personal_user_id = (v_row ->> 'user_id')::uuid)
  end;
begin
  if v_changes = '{}' then
    return null;
  end if;
  -- what goes with its vine or its user: their going stands for it
  if v_account_id is null
    or tg_op = 'DELETE' and v_row ? 'vine_id' and not exists (select from public.vines as v where v.id = v_vine_id) then
    return null;
  end if;
  perform private.write_audit(
    v_account_id,
    v_vine_id,
    case
      when tg_op = 'INSERT' then 'CREATED'
      when tg_op = 'DELETE' then 'DELETED'
      when v_changes -> 'status' ->> 'after' = 'ACTIVE'
        and v_changes -> 'status' ->> 'before' in ('PROVISIONING', 'CREATING', 'UPDATING') then 'PROVISIONED'
      when v_changes -> 'status' ->> 'after' = 'DESTROYED' then 'DESTROYED'
      else 'UPDATED'
    end::public.audit_action,
    v_component_type,
    coalesce(v_row ->> 'id', v_row ->> 'user_id')::uuid,
    v_changes
  );
  return null;
end;
$$;
comment on function private.tg_audit is
  'Writes the audit log. PROVISIONED and DESTROYED are the moves that only a job''s end makes.';

do $$
declare
  v_audited record;
begin
  for v_audited in
    values ('public.vines'::regclass, 'vine'),
           ('public.vineyards', 'vineyard'),
           ('public.cloud_identities', 'cloud_identity'),
           ('public.provider_tokens', 'provider_token'),
           ('public.accounts_memberships', 'membership')
    union all
    select k.table_name, k.component_type from private.component_kinds as k
  loop
    execute format('create trigger audit after insert or update or delete on %s '
      'for each row when (not private.is_reencrypting()) execute function private.tg_audit(%L)',
      v_audited.column1, v_audited.column2);
  end loop;
end;
$$;

--------------------------------------------------------------------------------------------------
-- Keeping it
--------------------------------------------------------------------------------------------------

create function private.tg_vineyards__delete_vines()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.vines where vineyard_id = old.id;
  return old;
end;
$$;
comment on function private.tg_vineyards__delete_vines is
  'Deletes a vineyard''s vines while it still stands, so that their guard judges them and the log tells of each.';

create trigger delete_vines
before delete on public.vineyards
for each row execute function private.tg_vineyards__delete_vines();

create function private.tg_vine_audit_log__append_only()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- all that may change is what the foreign keys of deleted vines and users leave behind
  if tg_op = 'UPDATE'
    and (new.vine_id is not distinct from old.vine_id
      or new.vine_id is null and not exists (select from public.vines where id = old.vine_id))
    and (new.user_id is not distinct from old.user_id
      or new.user_id is null and not exists (select from auth.users where id = old.user_id))
    and to_jsonb(new) - '{vine_id,user_id}'::text[] = to_jsonb(old) - '{vine_id,user_id}'::text[] then
    return new;
  end if;
  perform private.raise_error('audit_append_only');
  return null;
end;
$$;
comment on function private.tg_vine_audit_log__append_only is 'Refuses to change the past, whoever asks.';

create trigger append_only
before update or delete on public.vine_audit_log
for each row execute function private.tg_vine_audit_log__append_only();

create trigger append_only_as_a_whole
before truncate on public.vine_audit_log
for each statement execute function private.tg_vine_audit_log__append_only();

alter table public.vine_audit_log enable row level security;
create policy vine_audit_log_select on public.vine_audit_log for select to authenticated
using (account_id = any (array(select * from private.account_ids('viewer'))));
grant select on public.vine_audit_log to authenticated, service_role;
