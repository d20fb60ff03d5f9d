-- Audit: who did what to a vine. Append-only, and it outlives what it speaks of.

create table public.vine_audit_log (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null,
  vine_id uuid references public.vines (id) on delete set null,
  vine_ref uuid not null,
  user_id uuid references auth.users (id) on delete set null,
  action public.audit_action not null,
  component_type text not null,
  component_id uuid not null,
  changes jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
comment on table public.vine_audit_log is 'What happened to vines and their components. Append-only.';
comment on column public.vine_audit_log.account_id is 'Whose vine it was; no foreign key, because the log outlives accounts.';
comment on column public.vine_audit_log.vine_id is 'Null once the vine is deleted.';
comment on column public.vine_audit_log.vine_ref is 'The vine''s id, which stays when the vine is deleted.';
comment on column public.vine_audit_log.user_id is 'Who did it; null where the database did, and once the user is deleted.';
comment on column public.vine_audit_log.component_type is 'vine, network, database …';
comment on column public.vine_audit_log.changes is 'Per changed column {"before": …, "after": …}; secrets are redacted.';
create index vine_audit_log_vine_id_idx on public.vine_audit_log (vine_id, created_at);
create index vine_audit_log_vine_ref_idx on public.vine_audit_log (vine_ref, created_at);
create index vine_audit_log_user_id_idx on public.vine_audit_log (user_id);
create index vine_audit_log_account_id_idx on public.vine_audit_log (account_id, created_at);

create function private.row_diff(p_before jsonb, p_after jsonb)
returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(jsonb_object_agg(
    k.key,
    case
      when k.key = 'argocd_admin_password' then '"redacted"'
      else jsonb_strip_nulls(jsonb_build_object('before', p_before -> k.key, 'after', p_after -> k.key))
    end
  ), '{}')
  from jsonb_object_keys(coalesce(p_before, '{}') || coalesce(p_after, '{}')) as k (key)
  where p_before -> k.key is distinct from p_after -> k.key
    and k.key not in ('updated_at', 'created_at', 'account_id')
    -- on an insert or delete, what was never set says nothing
    and coalesce(nullif(p_before -> k.key, 'null'), nullif(p_after -> k.key, 'null')) is not null;
$$;
comment on function private.row_diff is 'The changed columns of a row, before and after. For the audit trigger.';

create function private.tg_audit()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_component_type constant text := tg_argv[0];
  v_before constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
  v_after constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
  v_row constant jsonb := coalesce(v_after, v_before);
  v_is_vine constant boolean := v_component_type = 'vine';
  v_vine_id constant uuid := case when v_is_vine then v_row ->> 'id' else v_row ->> 'vine_id' end;
  v_changes constant jsonb := private.row_diff(v_before, v_after);
  v_account_id uuid;
begin
  if v_changes = '{}' then
    return null;
  end if;
  select y.account_id into v_account_id
  from public.vineyards as y
  where y.id = coalesce(
    (v_row ->> 'vineyard_id')::uuid,
    (select v.vineyard_id from public.vines as v where v.id = v_vine_id)
  );
  -- a component that goes with its vine: the vine's entry stands for it
  if v_account_id is null then
    return null;
  end if;
  insert into public.vine_audit_log (
    account_id, vine_id, vine_ref, user_id, action, component_type, component_id, changes
  ) values (
    v_account_id,
    case when not (v_is_vine and tg_op = 'DELETE') then v_vine_id end,
    v_vine_id,
    case when current_setting('vintner.acting', true) is distinct from 'database' then private.current_user_id() end,
    case
      when tg_op = 'INSERT' then 'CREATED'
      when tg_op = 'DELETE' then 'DELETED'
      when v_changes -> 'status' ->> 'after' = 'ACTIVE'
        and v_changes -> 'status' ->> 'before' in ('PROVISIONING', 'CREATING', 'UPDATING') then 'PROVISIONED'
      when v_changes -> 'status' ->> 'after' = 'DESTROYED' then 'DESTROYED'
      else 'UPDATED'
    end::public.audit_action,
    v_component_type,
    (v_row ->> 'id')::uuid,
    v_changes
  );
  return null;
end;
$$;
comment on function private.tg_audit is
  'Writes the audit log. PROVISIONED and DESTROYED are the moves that only a job''s end makes.';

create trigger audit
after insert or update or delete on public.vines
for each row execute function private.tg_audit('vine');

do $$
declare
  v_kind private.component_kinds;
begin
  for v_kind in select * from private.component_kinds loop
    execute format('create trigger audit after insert or update or delete on %s '
      'for each row execute function private.tg_audit(%L)', v_kind.table_name, v_kind.component_type);
  end loop;
end;
$$;

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
language plpgsql set search_path = ''
as $$
begin
  -- all that may change is what the foreign keys of deleted vines and users leave behind
  if tg_op = 'UPDATE'
    and (new.vine_id is null or new.vine_id = old.vine_id)
    and (new.user_id is null or new.user_id = old.user_id)
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

alter table public.vine_audit_log enable row level security;
create policy vine_audit_log_select on public.vine_audit_log for select to authenticated
using (account_id = any (array(select private.account_ids('viewer'))));
grant select on public.vine_audit_log to authenticated, service_role;
