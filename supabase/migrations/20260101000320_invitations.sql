-- Invitations: how people join an account. One is made for an e-mail address and accepted by the user
-- who has confirmed it. Its token is told once, to who invites; only a hash of it is stored.

create table public.accounts_invitations (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.accounts (id) on delete cascade,
  email text not null check (email ~ '^[^@\s]+@[^@\s]+$' and email = lower(email)),
  role public.account_role not null,
  invited_by uuid not null references auth.users (id) on delete cascade,
  token_hash text not null unique,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '7 days',
  accepted_at timestamptz,
  unique (account_id, email)
);
comment on table public.accounts_invitations is 'Who is asked to join an account; one invitation an address.';
comment on column public.accounts_invitations.token_hash is 'SHA-256 of a token with 192 random bits: proves nothing.';
create index accounts_invitations_invited_by_idx on public.accounts_invitations (invited_by);

create function private.tg_accounts_memberships__withdraw_invitations()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_role constant public.account_role := case when tg_op = 'UPDATE' then new.role end;
begin
  delete from public.accounts_invitations as i
  where i.account_id = old.account_id and i.invited_by = old.user_id and i.accepted_at is null
    and (v_role is null or v_role < 'admin' or i.role > v_role);
  return null;
end;
$$;
comment on function private.tg_accounts_memberships__withdraw_invitations is
  'What a member could not give any more is withdrawn, so that nobody leaves a door open behind them.';

create trigger withdraw_invitations
after delete or update on public.accounts_memberships
for each row execute function private.tg_accounts_memberships__withdraw_invitations();

create function private.invite_member(p_account_id uuid, p_email text, p_role public.account_role)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_own_role constant public.account_role := private.lock_account(p_account_id, 'admin', 'invite members');
  v_email constant text := lower(btrim(p_email));
  v_token constant text := 'vi_' || translate(encode(extensions.gen_random_bytes(24), 'base64'), '+/', '-_');
  v_invitation public.accounts_invitations;
begin
  if coalesce(v_email, '') !~ '^[^@\s]+@[^@\s]+$' or length(v_email) > 254 then
    perform private.raise_error('invalid_input', 'An invitation needs an e-mail address.');
  elsif p_role is null then
    perform private.raise_error('invalid_input', 'An invitation needs a role.');
  elsif p_role > v_own_role or exists (
    select from public.accounts_invitations as i
    where i.account_id = p_account_id and i.email = v_email and i.accepted_at is null and i.role > v_own_role
  ) then
    perform private.raise_error('not_allowed', 'invite for, or in place of, a role above its own');
  elsif p_role = 'owner' and exists (
    select from public.accounts as a where a.id = p_account_id and a.personal_user_id is not null
  ) then
    perform private.raise_error('personal_account', 'has no owner but its user');
  elsif exists (
    select from public.accounts_memberships as m
    join auth.users as u on u.id = m.user_id
    where m.account_id = p_account_id and lower(u.email) = v_email
  ) then
    perform private.raise_error('already_member', v_email);
  end if;
  delete from public.accounts_invitations where account_id = p_account_id and email = v_email;
  insert into public.accounts_invitations (account_id, email, role, invited_by, token_hash)
  values (
    p_account_id, v_email, p_role, private.current_user_id(), encode(extensions.digest(v_token, 'sha256'), 'hex')
  )
  returning * into v_invitation;
  return jsonb_build_object(
    'invitation_id', v_invitation.id, 'token', v_token, 'expires_at', v_invitation.expires_at);
end;
$$;
comment on function private.invite_member is 'See public.invite_member.';
grant execute on function private.invite_member to authenticated;

create function public.invite_member(p_account_id uuid, p_email text, p_role public.account_role)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.invite_member(p_account_id, p_email, p_role) $$;
comment on function public.invite_member is
  'Invites an e-mail address in a role not above the caller''s, in place of an earlier invitation of it. Returns '
  '{invitation_id, token, expires_at}; the token is shown this once and is good for 7 days. For admins.';
grant execute on function public.invite_member to authenticated;

create function private.accept_invitation(p_token text)
returns public.accounts_memberships
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_user_id constant uuid := private.current_person();
  v_hash constant text := encode(extensions.digest(p_token, 'sha256'), 'hex');
  v_invitation public.accounts_invitations;
  v_membership public.accounts_memberships;
begin
  perform from public.accounts as a
  where a.id = (select i.account_id from public.accounts_invitations as i where i.token_hash = v_hash)
  for no key update;
  -- looked up by a hash, so that the time it takes tells nothing of the token
  select * into v_invitation from public.accounts_invitations where token_hash = v_hash;
  if not found then
    perform private.raise_error('invitation_unknown');
  elsif not exists (
    select from auth.users as u
    where u.id = v_user_id and lower(u.email) = v_invitation.email and u.email_confirmed_at is not null
  ) then
    perform private.raise_error('invitation_not_yours');
  elsif v_invitation.accepted_at is not null then
    perform private.raise_error('invitation_used');
  elsif v_invitation.expires_at <= now() then
    perform private.raise_error('invitation_expired');
  end if;
  update public.accounts_invitations set accepted_at = now() where id = v_invitation.id;
  insert into public.accounts_memberships (account_id, user_id, role)
  values (v_invitation.account_id, v_user_id, v_invitation.role)
  on conflict do nothing
  returning * into v_membership;
  if not found then
    perform private.raise_error('already_member', v_invitation.email);
  end if;
  return v_membership;
end;
$$;
comment on function private.accept_invitation is 'See public.accept_invitation.';
grant execute on function private.accept_invitation to authenticated;

create function public.accept_invitation(p_token text)
returns public.accounts_memberships
language sql volatile set search_path = ''
as $$ select private.accept_invitation(p_token) $$;
comment on function public.accept_invitation is
  'Joins the account that the token''s invitation is for. For the user who has confirmed the invited e-mail address.';
grant execute on function public.accept_invitation to authenticated;

create function private.revoke_invitation(p_invitation_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_account_id constant uuid := (
    select i.account_id from public.accounts_invitations as i
    where i.id = p_invitation_id and i.account_id = any (array(select * from private.account_ids('viewer')))
  );
  v_own_role public.account_role;
  v_role public.account_role;
begin
  if v_account_id is null then
    perform private.raise_error('not_found', 'invitation', p_invitation_id::text);
  end if;
  v_own_role := private.lock_account(v_account_id, 'admin', 'revoke invitations');
  delete from public.accounts_invitations where id = p_invitation_id returning role into v_role;
  if v_role > v_own_role then
    perform private.raise_error('not_allowed', 'revoke an invitation for a role above its own');
  end if;
end;
$$;
comment on function private.revoke_invitation is 'See public.revoke_invitation.';
grant execute on function private.revoke_invitation to authenticated;

create function public.revoke_invitation(p_invitation_id uuid)
returns void
language sql volatile set search_path = ''
as $$ select private.revoke_invitation(p_invitation_id) $$;
comment on function public.revoke_invitation is
  'Takes an invitation back; its token is then unknown. For admins whose role is not below the invitation''s.';
grant execute on function public.revoke_invitation to authenticated;

alter table public.accounts_invitations enable row level security;
create policy accounts_invitations_select on public.accounts_invitations for select to authenticated
using (account_id = any (array(select * from private.account_ids('admin'))));
grant select on public.accounts_invitations to authenticated, service_role;
