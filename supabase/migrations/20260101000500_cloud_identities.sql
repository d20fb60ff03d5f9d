-- Cloud identities and provider tokens: how Vintner reaches a user's cloud and repositories.
-- Secrets in them are encrypted before they are stored; clients read ciphertext at most.

--------------------------------------------------------------------------------------------------
-- Tables
--------------------------------------------------------------------------------------------------

create table public.cloud_identities (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null default private.personal_account_id() references public.accounts (id) on delete cascade,
  user_id uuid default private.current_user_id() references auth.users (id) on delete set null,
  provider text not null check (provider in ('aws', 'gcp', 'azure', 'local')),
  name text not null check (name <> ''),
  credentials jsonb not null default '{}' check (jsonb_typeof(credentials) = 'object'),
  credentials_version integer not null default 1,
  is_verified boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.cloud_identities is 'A cloud account that vines are provisioned in.';
comment on column public.cloud_identities.user_id is 'Who made it.';
comment on column public.cloud_identities.provider is
  'aws, gcp, azure; or local, which provisions nothing and is for trying Vintner out.';
comment on column public.cloud_identities.credentials is
  'Provider-specific: role ARN, external id, WIF config … What is not known to be no secret is ciphertext.';
comment on column public.cloud_identities.credentials_version is
  'Goes up whenever the credentials change: tells whether they are those of a moment ago without telling what they are.';
comment on column public.cloud_identities.is_verified is 'Passed its connection test.';
create index cloud_identities_account_id_idx on public.cloud_identities (account_id);
create index cloud_identities_user_id_idx on public.cloud_identities (user_id);

create table public.provider_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default private.current_user_id() references auth.users (id) on delete cascade,
  provider text not null check (provider in ('github', 'gitlab', 'bitbucket')),
  access_token text not null,
  refresh_token text,
  expires_at timestamptz
);
comment on table public.provider_tokens is 'A user''s OAuth tokens for Git providers, encrypted.';
create index provider_tokens_user_id_idx on public.provider_tokens (user_id);

--------------------------------------------------------------------------------------------------
-- Encryption on write
--------------------------------------------------------------------------------------------------

create function private.is_readable_credential(p_key text, p_value jsonb)
returns boolean
language sql immutable set search_path = ''
as $$
  select p_key in (
    'role_arn', 'external_id', 'account_id', 'region', 'project_id', 'project_number', 'pool_id', 'provider_id',
    'workload_identity_provider', 'service_account_email', 'audience', 'subscription_id', 'tenant_id', 'client_id'
  ) and jsonb_typeof(p_value) in ('string', 'null') and coalesce(p_value #>> '{}', '') not like 'vintner:%'
$$;
comment on function private.is_readable_credential is
  'Whether a credential is stored as it is: only a text under a key that is known to be no secret. For the trigger.';

create function private.tg_cloud_identities__encrypt()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_stored constant jsonb := case when tg_op = 'UPDATE' then old.credentials else '{}' end;
  v_key text;
  v_value jsonb;
begin
  -- the CHECK says so too late: by then the row that its error prints would hold what was sent
  if jsonb_typeof(new.credentials) is distinct from 'object' then
    perform private.raise_error('invalid_input', 'Credentials are an object.');
  end if;
  for v_key, v_value in select * from jsonb_each(new.credentials) loop
    if v_value is distinct from v_stored -> v_key and not private.is_readable_credential(v_key, v_value) then
      new.credentials := jsonb_set(new.credentials, array[v_key], to_jsonb(case
        when v_value #>> '{}' like 'vintner:%'
          then private.seal(v_value #>> '{}', v_stored ->> v_key, 'credentials', new.id)
        else private.encrypt(v_value::text, 'credentials', new.id)
      end));
    end if;
  end loop;
  if tg_op = 'UPDATE' and new.credentials <> old.credentials then
    new.is_verified := false;
    new.credentials_version := old.credentials_version + 1;
  end if;
  return new;
end;
$$;
comment on function private.tg_cloud_identities__encrypt is
  'Encrypts the values of credentials, whole; changed ones have a new version and are to be tested anew.';

insert into private.encrypted_columns (table_name, column_name, purpose) values
  ('public.cloud_identities', 'credentials', 'credentials'),
  ('public.provider_tokens', 'access_token', 'access_token'),
  ('public.provider_tokens', 'refresh_token', 'refresh_token');

create trigger encrypt
before insert or update of credentials on public.cloud_identities
for each row when (not private.is_reencrypting())
execute function private.tg_cloud_identities__encrypt();

create trigger set_updated_at
before update on public.cloud_identities
for each row when (not private.is_reencrypting())
execute function private.tg_set_updated_at();

create trigger encrypt
before insert or update of access_token, refresh_token on public.provider_tokens
for each row when (not private.is_reencrypting())
execute function private.tg_encrypt();

create trigger limit_size
before insert or update of name, credentials on public.cloud_identities
for each row when (not private.is_reencrypting())
execute function private.tg_limit_size();

create trigger limit_size
before insert or update of access_token, refresh_token on public.provider_tokens
for each row when (not private.is_reencrypting())
execute function private.tg_limit_size();

create function private.decrypted_credentials(p_identity public.cloud_identities)
returns jsonb
language sql stable security definer set search_path = ''
as $$
  select coalesce(jsonb_object_agg(
    c.key,
    case
      when private.is_readable_credential(c.key, c.value) then c.value
      else private.decrypt(c.value #>> '{}', 'credentials', p_identity.id)::jsonb
    end
  ), '{}')
  from jsonb_each(p_identity.credentials) as c;
$$;
comment on function private.decrypted_credentials is
  'An identity''s credentials in clear. For get_job_context and reveal_credentials; granted to nobody.';

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.cloud_identities enable row level security;
create policy cloud_identities_select on public.cloud_identities for select to authenticated
using (account_id = any (array(select * from private.account_ids('viewer'))));
create policy cloud_identities_insert on public.cloud_identities for insert to authenticated
with check (account_id = any (array(select * from private.account_ids('admin'))));
create policy cloud_identities_update on public.cloud_identities for update to authenticated
using (account_id = any (array(select * from private.account_ids('admin'))));
create policy cloud_identities_delete on public.cloud_identities for delete to authenticated
using (account_id = any (array(select * from private.account_ids('admin'))));
grant select, delete on public.cloud_identities to authenticated, service_role;
grant insert (account_id, provider, name, credentials) on public.cloud_identities to authenticated;
grant update (name, credentials) on public.cloud_identities to authenticated;

alter table public.provider_tokens enable row level security;
create policy provider_tokens_select on public.provider_tokens for select to authenticated
using (user_id = (select private.current_user_id()));
create policy provider_tokens_insert on public.provider_tokens for insert to authenticated
with check (user_id = (select private.current_user_id()) and (select private.personal_account_id()) is not null);
comment on policy provider_tokens_insert on public.provider_tokens is 'People have tokens; a Tendril, who has no account, has none.';
create policy provider_tokens_update on public.provider_tokens for update to authenticated
using (user_id = (select private.current_user_id()));
create policy provider_tokens_delete on public.provider_tokens for delete to authenticated
using (user_id = (select private.current_user_id()));
grant select, delete on public.provider_tokens to authenticated, service_role;
grant insert (provider, access_token, refresh_token, expires_at) on public.provider_tokens to authenticated;
grant update (access_token, refresh_token, expires_at) on public.provider_tokens to authenticated;
