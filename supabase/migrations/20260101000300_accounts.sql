-- Accounts: who belongs together. Every user gets a personal account on sign-up; whatever is owned
-- belongs to an account, and a membership's role says what a member may do with it.

--------------------------------------------------------------------------------------------------
-- Tables
--------------------------------------------------------------------------------------------------

create table public.accounts (
  id uuid primary key default gen_random_uuid(),
  name text not null check (name <> ''),
  personal_user_id uuid unique references auth.users (id) on delete cascade,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.accounts is 'A team, or one person: what vineyards and cloud identities belong to.';
comment on column public.accounts.personal_user_id is 'The user whose personal account this is; null for a team.';

create table public.accounts_memberships (
  account_id uuid not null references public.accounts (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role public.account_role not null,
  created_at timestamptz not null default now(),
  primary key (account_id, user_id)
);
comment on table public.accounts_memberships is 'Who belongs to an account, and in which role.';
create index accounts_memberships_user_id_idx on public.accounts_memberships (user_id, role, account_id);

create table public.users (
  id integer generated always as identity primary key,
  auth_user_id uuid not null unique references auth.users (id) on delete cascade,
  email text,
  first_name text,
  last_name text,
  created_at timestamp not null default (now() at time zone 'utc')
);
comment on table public.users is 'A person''s profile: one row an auth user. Tendrils have none.';
comment on column public.users.created_at is 'UTC.';

--------------------------------------------------------------------------------------------------
-- Helpers that policies rest on
--------------------------------------------------------------------------------------------------

create function private.account_ids(p_role public.account_role)
returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select m.account_id
  from public.accounts_memberships as m
  where m.user_id = private.current_user_id() and m.role >= p_role;
$$;
comment on function private.account_ids is
  'The accounts in which the caller has at least this role. For policies: = any(array(select …)).';
grant execute on function private.account_ids to authenticated, service_role;

create function private.personal_account_id()
returns uuid
language sql stable security definer set search_path = ''
as $$
  select a.id from public.accounts as a where a.personal_user_id = private.current_user_id();
$$;
comment on function private.personal_account_id is 'The caller''s personal account. For column defaults.';
grant execute on function private.personal_account_id to authenticated, service_role;

create function private.require_role(p_account_id uuid, p_role public.account_role, p_doing text)
returns void
language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (select from private.account_ids(p_role) as a (id) where a.id = p_account_id) then
    perform private.raise_error('not_allowed', p_doing);
  end if;
end;
$$;
comment on function private.require_role is
  'Refuses unless the caller has at least this role in the account. For definer functions, which RLS does not guard.';

--------------------------------------------------------------------------------------------------
-- Sign-up
--------------------------------------------------------------------------------------------------

create function private.tg_auth_users__set_up()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_account_id uuid;
begin
  if new.raw_app_meta_data ->> 'kind' = 'tendril' then
    return new;
  end if;
  insert into public.users (auth_user_id, email, first_name, last_name)
  values (new.id, new.email, new.raw_user_meta_data ->> 'first_name', new.raw_user_meta_data ->> 'last_name');
  insert into public.accounts (name, personal_user_id)
  values (coalesce(nullif(split_part(new.email, '@', 1), ''), 'personal'), new.id)
  returning id into v_account_id;
  insert into public.accounts_memberships (account_id, user_id, role)
  values (v_account_id, new.id, 'owner');
  return new;
end;
$$;
comment on function private.tg_auth_users__set_up is
  'Gives a new user a profile and a personal account. Users cannot write app metadata, so none can pass for a Tendril.';

create trigger vintner_set_up
after insert on auth.users
for each row execute function private.tg_auth_users__set_up();

create trigger set_updated_at
before update on public.accounts
for each row execute function private.tg_set_updated_at();

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.accounts enable row level security;
create policy accounts_select on public.accounts for select to authenticated
using (id = any (array(select private.account_ids('viewer'))));
create policy accounts_update on public.accounts for update to authenticated
using (id = any (array(select private.account_ids('admin'))));
grant select, update (name) on public.accounts to authenticated;
grant select on public.accounts to service_role;

alter table public.accounts_memberships enable row level security;
create policy accounts_memberships_select on public.accounts_memberships for select to authenticated
using (account_id = any (array(select private.account_ids('viewer'))));
grant select on public.accounts_memberships to authenticated, service_role;

alter table public.users enable row level security;
create policy users_select on public.users for select to authenticated
using (auth_user_id = (select private.current_user_id()));
create policy users_update on public.users for update to authenticated
using (auth_user_id = (select private.current_user_id()));
grant select, update (first_name, last_name) on public.users to authenticated;
grant select on public.users to service_role;
