-- Accounts: who belongs together. Every user gets a personal account on sign-up and can make teams;
-- whatever is owned belongs to an account, and a membership's role says what a member may do with it.
--
-- Whoever changes an account's members locks its row first, accounts in the order of their ids.

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

create table public.users (
  id integer generated always as identity primary key,
  auth_user_id uuid not null unique references auth.users (id) on delete cascade,
  email text,
  first_name text,
  last_name text,
  created_at timestamp not null default (now() at time zone 'utc')
);
comment on table public.users is 'A person''s profile: one row an auth user. Tendrils have none.';
comment on column public.users.email is 'As Auth has it, confirmed or not.';
comment on column public.users.created_at is 'UTC.';

create table public.accounts_memberships (
  account_id uuid not null references public.accounts (id) on delete cascade,
  user_id uuid not null references public.users (auth_user_id) on delete cascade,
  role public.account_role not null,
  created_at timestamptz not null default now(),
  primary key (account_id, user_id)
);
comment on table public.accounts_memberships is 'Who belongs to an account, and in which role. Only people do.';
comment on column public.accounts_memberships.user_id is 'The auth user.';
create index accounts_memberships_user_id_idx on public.accounts_memberships (user_id, role, account_id);
-- a token holds its user's id as a text, whose reading as a uuid would cost more than all the rest of a policy
create index accounts_memberships_sub_idx on public.accounts_memberships ((user_id::text collate "C"), role)
include (account_id, user_id);

--------------------------------------------------------------------------------------------------
-- Helpers that policies rest on
--------------------------------------------------------------------------------------------------

create view private.own_memberships as
select m.account_id, m.role
from public.accounts_memberships as m
-- by itself, so that it is read once a query, whatever way the planner takes
where m.user_id::text collate "C" = (select auth.jwt() ->> 'sub');
comment on view private.own_memberships is
  'The caller''s memberships, past the policies of the table, which rest on them.';
grant select on private.own_memberships to authenticated, service_role;

-- without a search_path, for the reason that current_user_id gives
create function private.account_ids(p_role public.account_role)
returns setof uuid
language sql stable
begin atomic
  select m.account_id from private.own_memberships as m where m.role >= p_role;
end;
comment on function private.account_ids is
  'The accounts in which the caller has at least this role. For policies: = any(array(select * from …)).';
grant execute on function private.account_ids to authenticated, service_role;

create function private.fellow_ids(p_role public.account_role)
returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select distinct f.user_id
  from public.accounts_memberships as m
  join public.accounts_memberships as f on f.account_id = m.account_id
  where m.user_id = private.current_user_id() and f.role >= p_role;
$$;
comment on function private.fellow_ids is
  'The users who have at least this role in an account that the caller belongs to. For policies.';
grant execute on function private.fellow_ids to authenticated, service_role;

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
-- What always holds, whoever writes
--------------------------------------------------------------------------------------------------

create function private.require_owner(p_account_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account public.accounts;
begin
  -- written, not just locked: of two owners who leave at once the second sees the first one gone,
  -- and a session with an older snapshot fails. An account that is itself going is not found.
  update public.accounts as a set name = a.name
  where a.id = p_account_id
    and (a.personal_user_id is null or exists (select from auth.users as u where u.id = a.personal_user_id))
  returning * into v_account;
  if found and not exists (
    select from public.accounts_memberships as m where m.account_id = p_account_id and m.role = 'owner'
  ) then
    perform private.raise_error('account_needs_owner', v_account.name);
  end if;
end;
$$;
comment on function private.require_owner is 'Refuses an account without an owner. For the two triggers below.';

create function private.tg_accounts__require_owner()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.require_owner(new.id);
  return null;
end;
$$;
comment on function private.tg_accounts__require_owner is 'A new account has an owner by the end of its transaction.';

create constraint trigger require_owner
after insert on public.accounts deferrable initially deferred
for each row execute function private.tg_accounts__require_owner();

create function private.tg_accounts_memberships__require_owner()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.require_owner(old.account_id);
  return null;
end;
$$;
comment on function private.tg_accounts_memberships__require_owner is 'The last owner neither leaves nor steps down.';

create trigger require_owner_left
after delete on public.accounts_memberships
for each row when (old.role = 'owner')
execute function private.tg_accounts_memberships__require_owner();

create trigger require_owner_changed
after update on public.accounts_memberships
for each row when (old.role = 'owner' and (new.role <> 'owner' or new.account_id <> old.account_id))
execute function private.tg_accounts_memberships__require_owner();

create function private.tg_accounts_memberships__guard_personal()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (
    select from public.accounts as a where a.id = new.account_id and a.personal_user_id <> new.user_id
  ) then
    perform private.raise_error('personal_account', 'has no owner but its user');
  end if;
  return new;
end;
$$;
comment on function private.tg_accounts_memberships__guard_personal is 'A personal account takes no other owner.';

create trigger guard_personal
before insert or update on public.accounts_memberships
for each row when (new.role = 'owner')
execute function private.tg_accounts_memberships__guard_personal();

create function private.tg_accounts__guard_personal()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select from auth.users as u where u.id = old.personal_user_id) then
    perform private.raise_error('personal_account', 'stays as long as its user');
  end if;
  return old;
end;
$$;
comment on function private.tg_accounts__guard_personal is 'A personal account goes only with its user.';

create trigger guard_personal
before delete on public.accounts
for each row execute function private.tg_accounts__guard_personal();

-- not where a row is written only to be locked, as by require_owner at the end of a transaction
create trigger set_updated_at
before update on public.accounts
for each row when (old.* is distinct from new.*)
execute function private.tg_set_updated_at();

create trigger limit_size
before insert or update of name on public.accounts
for each row execute function private.tg_limit_size();

create trigger limit_size
before insert or update of first_name, last_name on public.users
for each row execute function private.tg_limit_size();

--------------------------------------------------------------------------------------------------
-- Users come and go
--------------------------------------------------------------------------------------------------

create function private.make_account(p_name text, p_owner_id uuid, p_is_personal boolean)
returns public.accounts
language sql volatile security definer set search_path = ''
as $$
  with account as (
    insert into public.accounts (name, personal_user_id)
    values (p_name, case when p_is_personal then p_owner_id end)
    returning *
  ), owner as (
    insert into public.accounts_memberships (account_id, user_id, role)
    select account.id, p_owner_id, 'owner' from account
  )
  select * from account;
$$;
comment on function private.make_account is 'Makes an account and its owner at once. For sign-up and create_account.';

create function private.tg_auth_users__set_up()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if new.raw_app_meta_data ->> 'kind' = 'tendril' then
    return new;
  end if;
  insert into public.users (auth_user_id, email, first_name, last_name)
  values (
    new.id, new.email,
    -- anybody signs up with whatever metadata; nobody is refused for it
    left(new.raw_user_meta_data ->> 'first_name', 200), left(new.raw_user_meta_data ->> 'last_name', 200)
  );
  perform private.make_account(coalesce(nullif(split_part(new.email, '@', 1), ''), 'personal'), new.id, true);
  return new;
end;
$$;
comment on function private.tg_auth_users__set_up is
  'Gives a new user a profile and a personal account. Users cannot write app metadata, so none can pass for a Tendril.';

create trigger vintner_set_up
after insert on auth.users
for each row execute function private.tg_auth_users__set_up();

create function private.tg_auth_users__keep_email()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update public.users set email = new.email where auth_user_id = new.id;
  return null;
end;
$$;
comment on function private.tg_auth_users__keep_email is 'Keeps the profile''s e-mail address as Auth has it.';

create trigger vintner_keep_email
after update of email on auth.users
for each row when (new.email is distinct from old.email)
execute function private.tg_auth_users__keep_email();

create function private.lock_possessions(p_account_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform from public.provision_jobs as j
  where j.id in (select o.job_id from private.open_jobs as o where o.account_id = p_account_id)
  order by j.id
  for update;
  perform from public.vineyards as y where y.account_id = p_account_id order by y.id for update;
  perform from public.vines as v where v.account_id = p_account_id order by v.id for update;
  perform from public.cloud_identities as c where c.account_id = p_account_id order by c.id for update;
end;
$$;
comment on function private.lock_possessions is
  'Jobs, vineyards, vines, identities: who plants, queues or ends a job locks them in this order. For whoever deletes an account.';

create function private.drop_account(p_account_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.lock_possessions(p_account_id);
  delete from public.accounts where id = p_account_id;
end;
$$;
comment on function private.drop_account is
  'Deletes an account with all it owns; its vines'' own rules may refuse. For delete_account and the end of users.';

create function private.tg_auth_users__leave_teams()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_account_id uuid;
begin
  perform from public.accounts as a
  where a.id in (select m.account_id from public.accounts_memberships as m where m.user_id = old.id)
  order by a.id
  for no key update;
  -- they stay and forget the user, as vines do: jobs are locked before vines, by everyone
  perform from public.provision_jobs as j
  where j.user_id = old.id or j.approved_by = old.id
  order by j.id
  for update;
  for v_account_id in
    select a.id from public.accounts as a
    where a.personal_user_id is distinct from old.id
      and a.id in (select m.account_id from public.accounts_memberships as m where m.user_id = old.id)
    order by a.id
  loop
    if not exists (
      select from public.accounts_memberships as m where m.account_id = v_account_id and m.user_id <> old.id
    ) then
      perform private.drop_account(v_account_id);
    elsif not exists (
      select from public.accounts_memberships as m
      where m.account_id = v_account_id and m.user_id <> old.id and m.role = 'owner'
    ) then
      update public.accounts_memberships set role = 'owner'
      where account_id = v_account_id and user_id = (
        select m.user_id from public.accounts_memberships as m
        where m.account_id = v_account_id and m.user_id <> old.id and m.role = 'admin'
        order by m.created_at, m.user_id
        limit 1
      );
    end if;
    delete from public.accounts_memberships where account_id = v_account_id and user_id = old.id;
  end loop;
  perform private.lock_possessions(a.id) from public.accounts as a where a.personal_user_id = old.id;
  return old;
end;
$$;
comment on function private.tg_auth_users__leave_teams is
  'Before a user goes: a team of theirs alone goes along, one whose only owner they are passes to its longest-standing '
  'admin, and where there is none the user cannot be deleted.';

create trigger vintner_leave_teams
before delete on auth.users
for each row execute function private.tg_auth_users__leave_teams();

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.accounts enable row level security;
create policy accounts_select on public.accounts for select to authenticated
using (id = any (array(select * from private.account_ids('viewer'))));
create policy accounts_update on public.accounts for update to authenticated
using (id = any (array(select * from private.account_ids('admin'))));
grant select, update (name) on public.accounts to authenticated;
grant select on public.accounts to service_role;

alter table public.accounts_memberships enable row level security;
create policy accounts_memberships_select on public.accounts_memberships for select to authenticated
using (account_id = any (array(select * from private.account_ids('viewer'))));
grant select on public.accounts_memberships to authenticated, service_role;

alter table public.users enable row level security;
create policy users_select on public.users for select to authenticated
using (auth_user_id = any (array(select private.fellow_ids('viewer'))));
create policy users_update on public.users for update to authenticated
using (auth_user_id = (select private.current_user_id()));
grant select, update (first_name, last_name) on public.users to authenticated;
grant select on public.users to service_role;
