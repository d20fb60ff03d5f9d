-- Members: making a team, and what its members may do with each other. Nobody gives, changes or takes
-- a role above their own. That an account keeps an owner is held by the chapter before, for everyone.

create function private.current_person()
returns uuid
language plpgsql stable security definer set search_path = ''
as $$
begin
  if private.current_user_id() is null then
    perform private.raise_error('not_signed_in');
  elsif not exists (select from public.users as u where u.auth_user_id = private.current_user_id()) then
    perform private.raise_error('not_allowed', 'do this: it is for people');
  end if;
  return private.current_user_id();
end;
$$;
comment on function private.current_person is 'The caller''s auth user id; refuses Tendrils and whoever is not signed in.';

create function private.lock_account(p_account_id uuid, p_role public.account_role, p_doing text)
returns public.account_role
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_role public.account_role;
begin
  perform from public.accounts as a
  where a.id = p_account_id and a.id = any (array(select * from private.account_ids('viewer')))
  for no key update;
  select m.role into v_role from public.accounts_memberships as m
  where m.account_id = p_account_id and m.user_id = private.current_person();
  if not found then
    perform private.raise_error('not_found', 'account', p_account_id::text);
  elsif v_role < p_role then
    perform private.raise_error('not_allowed', p_doing);
  end if;
  return v_role;
end;
$$;
comment on function private.lock_account is
  'Locks an account and returns the caller''s role in it; refuses one below p_role. For the functions below.';

create function private.member_role(p_account_id uuid, p_user_id uuid)
returns public.account_role
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_role public.account_role;
begin
  select m.role into v_role from public.accounts_memberships as m
  where m.account_id = p_account_id and m.user_id = p_user_id;
  if not found then
    perform private.raise_error('not_found', 'member', p_user_id::text);
  end if;
  return v_role;
end;
$$;
comment on function private.member_role is 'A member''s role; refuses who is none. For the functions below.';

--------------------------------------------------------------------------------------------------
-- Teams
--------------------------------------------------------------------------------------------------

create function private.create_account(p_name text)
returns public.accounts
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id constant uuid := private.current_person();
begin
  if coalesce(p_name, '') = '' then
    perform private.raise_error('invalid_input', 'An account needs a name.');
  end if;
  return private.make_account(p_name, v_user_id, false);
end;
$$;
comment on function private.create_account is 'See public.create_account.';
grant execute on function private.create_account to authenticated;

create function public.create_account(p_name text)
returns public.accounts
language sql volatile set search_path = ''
as $$ select private.create_account(p_name) $$;
comment on function public.create_account is 'Makes a team, owned by the caller. For every user.';
grant execute on function public.create_account to authenticated;

create function private.delete_account(p_account_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.lock_account(p_account_id, 'owner', 'delete it');
  perform private.drop_account(p_account_id);
end;
$$;
comment on function private.delete_account is 'See public.delete_account.';
grant execute on function private.delete_account to authenticated;

create function public.delete_account(p_account_id uuid)
returns void
language sql volatile set search_path = ''
as $$ select private.delete_account(p_account_id) $$;
comment on function public.delete_account is
  'Deletes a team with its vineyards, vines and identities; refused while resources of a vine may exist. For owners.';
grant execute on function public.delete_account to authenticated;

--------------------------------------------------------------------------------------------------
-- Roles
--------------------------------------------------------------------------------------------------

create function private.set_member_role(p_account_id uuid, p_user_id uuid, p_role public.account_role)
returns public.accounts_memberships
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_own_role constant public.account_role := private.lock_account(p_account_id, 'admin', 'change roles');
  v_membership public.accounts_memberships;
begin
  if p_role is null then
    perform private.raise_error('invalid_input', 'A member has a role.');
  elsif greatest(p_role, private.member_role(p_account_id, p_user_id)) > v_own_role then
    perform private.raise_error('not_allowed', 'give or change a role above its own');
  end if;
  update public.accounts_memberships set role = p_role
  where account_id = p_account_id and user_id = p_user_id
  returning * into v_membership;
  return v_membership;
end;
$$;
comment on function private.set_member_role is 'See public.set_member_role.';
grant execute on function private.set_member_role to authenticated;

create function public.set_member_role(p_account_id uuid, p_user_id uuid, p_role public.account_role)
returns public.accounts_memberships
language sql volatile set search_path = ''
as $$ select private.set_member_role(p_account_id, p_user_id, p_role) $$;
comment on function public.set_member_role is
  'Changes a member''s role; neither the old nor the new one may be above the caller''s. For admins.';
grant execute on function public.set_member_role to authenticated;

create function private.transfer_ownership(p_account_id uuid, p_user_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform private.lock_account(p_account_id, 'owner', 'transfer it');
  perform private.member_role(p_account_id, p_user_id);
  if p_user_id = private.current_user_id() then
    perform private.raise_error('invalid_input', 'You own this account already.');
  end if;
  update public.accounts_memberships set role = 'owner' where account_id = p_account_id and user_id = p_user_id;
  update public.accounts_memberships set role = 'admin'
  where account_id = p_account_id and user_id = private.current_user_id();
end;
$$;
comment on function private.transfer_ownership is 'See public.transfer_ownership.';
grant execute on function private.transfer_ownership to authenticated;

create function public.transfer_ownership(p_account_id uuid, p_user_id uuid)
returns void
language sql volatile set search_path = ''
as $$ select private.transfer_ownership(p_account_id, p_user_id) $$;
comment on function public.transfer_ownership is
  'Makes another member the owner in the caller''s place, who stays as an admin. For owners of teams.';
grant execute on function public.transfer_ownership to authenticated;

create function private.remove_member(p_account_id uuid, p_user_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_own_role constant public.account_role := private.lock_account(
    p_account_id,
    case when p_user_id = private.current_user_id() then 'viewer' else 'admin' end::public.account_role,
    'remove members');
begin
  if private.member_role(p_account_id, p_user_id) > v_own_role then
    perform private.raise_error('not_allowed', 'remove a member with a role above its own');
  end if;
  delete from public.accounts_memberships where account_id = p_account_id and user_id = p_user_id;
end;
$$;
comment on function private.remove_member is 'See public.remove_member.';
grant execute on function private.remove_member to authenticated;

create function public.remove_member(p_account_id uuid, p_user_id uuid)
returns void
language sql volatile set search_path = ''
as $$ select private.remove_member(p_account_id, p_user_id) $$;
comment on function public.remove_member is
  'Removes a member whose role is not above the caller''s. For admins; for every member to leave.';
grant execute on function public.remove_member to authenticated;
