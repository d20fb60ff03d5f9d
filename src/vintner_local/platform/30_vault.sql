-- Vault, in the shape of the extension `supabase_vault`: secrets are stored as ciphertext under a
-- root key that no API role reads, so that a leak shows here as it would there.

create schema vault;
grant usage on schema vault to postgres, service_role;

create table vault.root_key (
  only_row boolean primary key default true check (only_row),
  key text not null
);
insert into vault.root_key (key) values (encode(extensions.gen_random_bytes(32), 'hex'));

create table vault.secrets (
  id uuid primary key default gen_random_uuid(),
  name text unique,
  description text not null default '',
  secret text not null,
  key_id uuid,
  nonce bytea default extensions.gen_random_bytes(16),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create function vault.encrypt(p_id uuid, p_secret text)
returns text
language sql volatile security definer set search_path = ''
as $$
  select encode(extensions.pgp_sym_encrypt(p_id::text || p_secret, k.key, 's2k-mode=1'), 'base64')
  from vault.root_key as k;
$$;

create function vault.decrypt(p_id uuid, p_ciphertext text)
returns text
language sql stable security definer set search_path = ''
as $$
  select substr(extensions.pgp_sym_decrypt(decode(p_ciphertext, 'base64'), k.key),
                length(p_id::text) + 1)
  from vault.root_key as k;
$$;

create function vault.create_secret(
  new_secret text,
  new_name text default null,
  new_description text default '',
  new_key_id uuid default null
)
returns uuid
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id constant uuid := gen_random_uuid();
begin
  insert into vault.secrets (id, name, description, secret, key_id)
  values (v_id, new_name, new_description, vault.encrypt(v_id, new_secret), new_key_id);
  return v_id;
end;
$$;

create function vault.update_secret(
  secret_id uuid,
  new_secret text default null,
  new_name text default null,
  new_description text default null,
  new_key_id uuid default null
)
returns void
language sql volatile security definer set search_path = ''
as $$
  update vault.secrets as s
  set secret = coalesce(vault.encrypt(s.id, new_secret), s.secret),
      name = coalesce(new_name, s.name),
      description = coalesce(new_description, s.description),
      key_id = coalesce(new_key_id, s.key_id),
      updated_at = now()
  where s.id = secret_id;
$$;

create view vault.decrypted_secrets as
select id, name, description, secret, vault.decrypt(id, secret) as decrypted_secret,
       key_id, nonce, created_at, updated_at
from vault.secrets;

revoke execute on all functions in schema vault from public;
grant execute on function vault.create_secret, vault.update_secret, vault.decrypt
  to postgres, service_role;
grant select, delete on vault.secrets, vault.decrypted_secrets
  to postgres, service_role with grant option;
