-- Vines: one infrastructure configuration each, the central entity. The status is the database's
-- own: only the functions that run jobs move it, along the moves below, whoever asks.

create table public.vines (
  id uuid primary key default gen_random_uuid(),
  user_id uuid default private.current_user_id() references auth.users (id) on delete set null,
  vineyard_id uuid not null references public.vineyards (id) on delete cascade,
  account_id uuid not null default nullif('', '')::uuid,
  cloud_identity_id uuid references public.cloud_identities (id) deferrable initially deferred,
  project_name text not null check (project_name ~ '^[a-z][a-z0-9-]{0,38}[a-z0-9]$'),
  environment_stage public.environment_stage not null default 'development',
  region text not null check (region <> ''),
  terraform_version text not null default '1.11.4' check (terraform_version ~ '^\d+\.\d+\.\d+$'),
  status public.vine_status not null default 'DRAFT',
  estimated_monthly_cost numeric check (estimated_monthly_cost >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.vines is 'One infrastructure configuration, its place in its life cycle and its cost.';
comment on column public.vines.user_id is 'Who planted it.';
comment on column public.vines.account_id is 'Its vineyard''s: copied by a trigger, so that policies need no join.';
comment on column public.vines.project_name is '2 to 40 lower-case letters, digits and hyphens: part of every resource name.';
comment on column public.vines.estimated_monthly_cost is 'US dollars; null while unknown.';
create index vines_account_id_idx on public.vines (account_id);
create index vines_vineyard_id_idx on public.vines (vineyard_id);
-- two live ones of a name would fight over their resources' names; a destroyed one is a record and in nobody's way
create unique index vines_name_idx on public.vines (vineyard_id, project_name, environment_stage)
  where status <> 'DESTROYED';
create index vines_cloud_identity_id_idx on public.vines (cloud_identity_id);
create index vines_user_id_idx on public.vines (user_id);

comment on constraint vines_project_name_check on public.vines is
  'project_name must be 2 to 40 lower-case letters, digits and hyphens, from a letter on, and not end in a hyphen';
comment on constraint vines_region_check on public.vines is 'region must not be empty';
comment on constraint vines_terraform_version_check on public.vines is 'terraform_version must be a version such as 1.11.4';

create trigger set_updated_at
before update on public.vines
for each row execute function private.tg_set_updated_at();

create trigger limit_size
before insert or update of project_name, region, terraform_version on public.vines
for each row execute function private.tg_limit_size();

create function private.tg_vines__set_account()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  new.account_id := (select y.account_id from public.vineyards as y where y.id = new.vineyard_id);
  if tg_op = 'UPDATE' and new.account_id <> old.account_id then
    perform private.raise_error('not_allowed', 'move a vine to another account');
  end if;
  return new;
end;
$$;
comment on function private.tg_vines__set_account is 'Copies the account of a vine''s vineyard.';

create trigger set_account
before insert or update of vineyard_id, account_id on public.vines
for each row execute function private.tg_vines__set_account();

--------------------------------------------------------------------------------------------------
-- Life cycle
--------------------------------------------------------------------------------------------------

create function private.next_vine_statuses(p_from public.vine_status)
returns public.vine_status[]
language sql immutable set search_path = ''
as $$
  select case p_from
    when 'DRAFT' then '{QUEUED}'
    -- back to what it was when a queued DEPLOY is cancelled
    when 'QUEUED' then '{PROVISIONING,DRAFT,ACTIVE,FAILED}'
    when 'PROVISIONING' then '{ACTIVE,FAILED}'
    when 'ACTIVE' then '{QUEUED,DESTROYING}'
    when 'DESTROYING' then '{DESTROYED,FAILED}'
    when 'FAILED' then '{QUEUED,DESTROYING}'
    when 'DESTROYED' then '{}'
  end::public.vine_status[]
$$;
comment on function private.next_vine_statuses is 'Every legal move of a vine. For the guard and for tests.';

create function private.vine_label(p_vine public.vines)
returns text
language sql immutable set search_path = ''
as $$ select p_vine.project_name || '/' || p_vine.environment_stage::text $$;
comment on function private.vine_label is 'A vine''s name for people: project/stage. For messages, and for apply_manifest.';
grant execute on function private.vine_label to authenticated;

create function private.tg_vines__guard()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if new.cloud_identity_id is not null and not exists (
    select
    from public.cloud_identities as c
    join public.vineyards as v on v.account_id = c.account_id
    where c.id = new.cloud_identity_id and v.id = new.vineyard_id
  ) then
    perform private.raise_error('not_found', 'cloud identity', new.cloud_identity_id::text);
  end if;
  if tg_op = 'INSERT' then
    if new.status <> 'DRAFT' then
      perform private.raise_error('illegal_transition', 'vine', 'nothing', new.status::text);
    end if;
    return new;
  end if;
  if new.status is distinct from old.status
    and not new.status = any (private.next_vine_statuses(old.status)) then
    perform private.raise_error('illegal_transition', 'vine', old.status::text, new.status::text);
  end if;
  if (new.project_name, new.environment_stage, new.region, new.vineyard_id, new.cloud_identity_id)
    is distinct from (old.project_name, old.environment_stage, old.region, old.vineyard_id, old.cloud_identity_id)
    and old.status <> 'DRAFT' then
    perform private.raise_error(
      'vine_fixed', 'name, stage, region, vineyard and cloud identity', old.status::text);
  elsif old.status = 'DESTROYED' and new.terraform_version is distinct from old.terraform_version then
    perform private.raise_error('vine_destroyed', private.vine_label(old));
  end if;
  return new;
end;
$$;
comment on function private.tg_vines__guard is
  'Holds the moves, what is fixed once resources may exist, and that the identity is of the same account.';

create trigger guard
before insert or update on public.vines
for each row execute function private.tg_vines__guard();

create function private.tg_vines__guard_delete()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if old.status not in ('DRAFT', 'DESTROYED') then
    perform private.raise_error('vine_not_deletable', private.vine_label(old), old.status::text);
  end if;
  return old;
end;
$$;
comment on function private.tg_vines__guard_delete is 'A vine whose resources may exist is destroyed, not deleted.';

create trigger guard_delete
before delete on public.vines
for each row execute function private.tg_vines__guard_delete();

create function private.tg_cloud_identities__guard_delete()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- with its account everything goes, if the vines' own guard lets it
  if exists (select from public.accounts where id = old.account_id) then
    perform private.raise_error('cloud_identity_in_use', old.name, private.vine_label(v))
    from (select * from public.vines where cloud_identity_id = old.id limit 1) as v;
  end if;
  return old;
end;
$$;
comment on function private.tg_cloud_identities__guard_delete is
  'An identity that a vine names stays: the record of a DESTROYED one says where it ran.';

create trigger guard_delete
before delete on public.cloud_identities
for each row execute function private.tg_cloud_identities__guard_delete();

--------------------------------------------------------------------------------------------------
-- Names that follow from a vine
--------------------------------------------------------------------------------------------------

create function public.name_prefix(p_vine public.vines)
returns text
language sql immutable set search_path = ''
as $$ select p_vine.project_name || '-' || p_vine.environment_stage::text $$;
comment on function public.name_prefix is
  'What the name of each of a vine''s resources starts with: <project>-<stage>. A computed field, for who may read the vine.';
grant execute on function public.name_prefix to authenticated, service_role;

create function public.state_path(p_vine public.vines)
returns text
language sql immutable set search_path = ''
as $$ select p_vine.environment_stage::text || '/' || p_vine.project_name || '/' || p_vine.id $$;
comment on function public.state_path is
  'Where a vine''s Terraform state lives: <stage>/<project>/<vine id>. A computed field, for who may read the vine.';
grant execute on function public.state_path to authenticated, service_role;

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.vines enable row level security;
create policy vines_select on public.vines for select to authenticated
using (account_id = any (array(select * from private.account_ids('viewer'))));
create policy vines_insert on public.vines for insert to authenticated
with check (account_id = any (array(select * from private.account_ids('operator'))));
create policy vines_update on public.vines for update to authenticated
using (account_id = any (array(select * from private.account_ids('operator'))));
create policy vines_delete on public.vines for delete to authenticated
using (account_id = any (array(select * from private.account_ids('operator'))));
grant select, delete on public.vines to authenticated, service_role;
grant insert (vineyard_id, cloud_identity_id, project_name, environment_stage, region, terraform_version)
  on public.vines to authenticated;
grant update (cloud_identity_id, project_name, environment_stage, region, terraform_version)
  on public.vines to authenticated;
