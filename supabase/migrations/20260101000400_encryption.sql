-- Encryption: keys that Vault holds and that never leave the database. Each ciphertext names its key
-- and holds the purpose and row it was made for, so that a ciphertext moved elsewhere is refused.
--
-- The newest key encrypts. After a rotation the older ones still decrypt, until everything has been
-- re-encrypted in batches and they are retired: docs/secrets.md.

--------------------------------------------------------------------------------------------------
-- Tables
--------------------------------------------------------------------------------------------------

create table private.encryption_keys (
  id integer generated always as identity primary key,
  created_at timestamptz not null default now()
);
alter table private.encryption_keys enable row level security;
comment on table private.encryption_keys is 'The keys that Vault holds as vintner_encryption_key_<id>; the newest encrypts.';

create table private.encrypted_columns (
  table_name regclass not null,
  column_name name not null,
  purpose text not null check (purpose ~ '^[a-z_]+$'),
  row_id_column name not null default 'id',
  primary key (table_name, column_name)
);
alter table private.encrypted_columns enable row level security;
comment on table private.encrypted_columns is
  'Every column that holds ciphertext, once: what encrypts, re-encrypts and redacts reads it here. A text column is '
  'ciphertext as a whole; a jsonb one is an object, and those of its values that are ciphertext start with vintner:.';
comment on column private.encrypted_columns.purpose is 'Bound into the ciphertext.';
comment on column private.encrypted_columns.row_id_column is 'The uuid column bound into the ciphertext; it never changes.';

--------------------------------------------------------------------------------------------------
-- Keys
--------------------------------------------------------------------------------------------------

create function private.rotate_encryption_key()
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id integer;
  v_name text;
begin
  insert into private.encryption_keys default values returning id into v_id;
  v_name := 'vintner_encryption_key_' || v_id;
  -- a Vault may outlive the schema that it served
  if not exists (select from vault.secrets where name = v_name) then
    perform vault.create_secret(
      encode(extensions.gen_random_bytes(32), 'hex'), v_name, 'Encrypts credentials, tokens and Terraform state.');
  end if;
  return v_id;
end;
$$;
comment on function private.rotate_encryption_key is 'See public.rotate_encryption_key.';
grant execute on function private.rotate_encryption_key to service_role;

create function public.rotate_encryption_key()
returns integer
language sql volatile set search_path = ''
as $$ select private.rotate_encryption_key() $$;
comment on function public.rotate_encryption_key is
  'Makes the next key in Vault, which encrypts from now on, and returns its id. For service_role.';
grant execute on function public.rotate_encryption_key to service_role;

create function private.create_encryption_key()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (select from private.encryption_keys) then
    perform private.rotate_encryption_key();
  end if;
end;
$$;
comment on function private.create_encryption_key is 'Makes the first key in Vault, once. For service_role.';
grant execute on function private.create_encryption_key to service_role;

select private.create_encryption_key();

create function private.encryption_key(p_key_id text)
returns text
language sql stable security definer set search_path = ''
as $$
  select s.decrypted_secret from vault.decrypted_secrets as s
  where s.name = 'vintner_encryption_key_' || p_key_id;
$$;
comment on function private.encryption_key is 'The key of this id. For encrypt and decrypt alone; granted to nobody.';

--------------------------------------------------------------------------------------------------
-- Encrypting and decrypting
--------------------------------------------------------------------------------------------------

create function private.encrypt(p_plaintext text, p_purpose text, p_row_id uuid)
returns text
language plpgsql volatile strict security definer set search_path = ''
as $$
declare
  v_key_id integer;
  v_key text;
begin
  -- the lock lasts until the writer's end: no key is retired while somebody still writes under it.
  -- Where the newest key in sight was retired meanwhile, the next look sees its successor
  loop
    select id into v_key_id from private.encryption_keys order by id desc limit 1 for key share;
    exit when found or not exists (select from private.encryption_keys);
  end loop;
  v_key := private.encryption_key(v_key_id::text);
  if v_key is null then
    perform private.raise_error('encryption_key_missing', coalesce(v_key_id::text, '1'));
  end if;
  return 'vintner:' || v_key_id || ':' || translate(encode(
    extensions.pgp_sym_encrypt(
      p_purpose || ':' || p_row_id || ':' || p_plaintext, v_key, 'cipher-algo=aes256, s2k-mode=1'
    ), 'base64'), E'\n', '');
end;
$$;
comment on function private.encrypt is
  'Ciphertext as vintner:<key id>:<base64 of an OpenPGP message>. For triggers and definer functions; granted to nobody.';

create function private.try_decrypt(p_ciphertext text, p_purpose text, p_row_id uuid)
returns text
language plpgsql stable strict security definer set search_path = ''
as $$
declare
  v_prefix constant text := p_purpose || ':' || p_row_id || ':';
  v_plaintext text;
begin
  v_plaintext := extensions.pgp_sym_decrypt(
    decode(split_part(p_ciphertext, ':', 3), 'base64'),
    private.encryption_key(split_part(p_ciphertext, ':', 2))
  );
  return case when starts_with(v_plaintext, v_prefix) then substr(v_plaintext, length(v_prefix) + 1) end;
exception
  when external_routine_invocation_exception or data_exception then
    return null;
end;
$$;
comment on function private.try_decrypt is
  'The plaintext of private.encrypt, or null where key, purpose or row differ. For definer functions; granted to nobody.';

create function private.decrypt(p_ciphertext text, p_purpose text, p_row_id uuid)
returns text
language plpgsql stable strict security definer set search_path = ''
as $$
declare
  v_plaintext constant text := private.try_decrypt(p_ciphertext, p_purpose, p_row_id);
begin
  if v_plaintext is null then
    perform private.raise_error('undecryptable', format('%s of %s', p_purpose, p_row_id));
  end if;
  return v_plaintext;
end;
$$;
comment on function private.decrypt is
  'The plaintext of private.encrypt, refused where key, purpose or row differ. For definer functions; granted to nobody.';

create function private.seal(p_value text, p_stored text, p_purpose text, p_row_id uuid)
returns text
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_plaintext text;
begin
  if p_value is null or p_value = p_stored then
    return p_value;
  elsif p_value not like 'vintner:%' then
    return private.encrypt(p_value, p_purpose, p_row_id);
  end if;
  -- a client may send back what it read before a re-encryption
  v_plaintext := private.try_decrypt(p_value, p_purpose, p_row_id);
  if v_plaintext is null then
    perform private.raise_error('invalid_input',
      format('This is ciphertext, but not of this row''s %s: send the secret itself.', p_purpose));
  elsif v_plaintext = private.try_decrypt(p_stored, p_purpose, p_row_id) then
    return p_stored;
  end if;
  return private.encrypt(v_plaintext, p_purpose, p_row_id);
end;
$$;
comment on function private.seal is
  'What to store for a value that a client wrote: the ciphertext of a secret, or the row''s own ciphertext that came '
  'back. Ciphertext of anything else is refused. For triggers; granted to nobody.';

create function private.tg_encrypt()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_new constant jsonb := to_jsonb(new);
  v_old constant jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) end;
  v_column private.encrypted_columns;
begin
  for v_column in select * from private.encrypted_columns where table_name = tg_relid loop
    new := jsonb_populate_record(new, jsonb_build_object(v_column.column_name, private.seal(
      v_new ->> v_column.column_name, v_old ->> v_column.column_name,
      v_column.purpose, (v_new ->> v_column.row_id_column)::uuid)));
  end loop;
  return new;
end;
$$;
comment on function private.tg_encrypt is
  'Encrypts the text columns that private.encrypted_columns names. It runs before any CHECK or NOT NULL is looked at, '
  'so that the row which such an error prints holds no secret.';

--------------------------------------------------------------------------------------------------
-- Re-encryption
--------------------------------------------------------------------------------------------------

create function private.is_reencrypting()
returns boolean
language sql stable set search_path = ''
as $$ select coalesce(current_setting('vintner.acting', true) = 'reencryption', false) $$;
comment on function private.is_reencrypting is
  'Whether private.reencrypt_batch is writing: nothing changes but the key, so triggers that encrypt, guard, audit or '
  'keep updated_at stand aside. For their WHEN clauses.';
grant execute on function private.is_reencrypting to authenticated, service_role;

create function private.reencrypt(p_value text, p_purpose text, p_row_id uuid)
returns text
language sql volatile security definer set search_path = ''
as $$ select private.encrypt(private.decrypt(p_value, p_purpose, p_row_id), p_purpose, p_row_id) $$;
comment on function private.reencrypt(text, text, uuid) is
  'The same secret under the newest key. For reencrypt_batch; granted to nobody.';

create function private.reencrypt(p_value jsonb, p_purpose text, p_row_id uuid)
returns jsonb
language sql volatile security definer set search_path = ''
as $$
  select jsonb_object_agg(v.key, case
    when v.value #>> '{}' like 'vintner:%' then to_jsonb(private.reencrypt(v.value #>> '{}', p_purpose, p_row_id))
    else v.value
  end)
  from jsonb_each(p_value) as v;
$$;
comment on function private.reencrypt(jsonb, text, uuid) is
  'The same object with its secrets under the newest key. For reencrypt_batch; granted to nobody.';

create function private.old_key_condition(p_column private.encrypted_columns)
returns text
language sql stable security definer set search_path = ''
as $$
  select format(
    case
      when a.atttypid = 'jsonb'::regtype then
        'exists (select from jsonb_each_text(%1$I) as v where v.value like ''vintner:%%'' '
        'and split_part(v.value, '':'', 2) <> $1)'
      -- substr() fetches the head of a long value, not the whole
      else 'split_part(substr(%1$I, 1, 30), '':'', 2) <> $1'
    end, p_column.column_name)
  from pg_catalog.pg_attribute as a
  where a.attrelid = p_column.table_name and a.attname = p_column.column_name;
$$;
comment on function private.old_key_condition is
  'SQL that is true of a row whose ciphertext names another key than $1. For reencrypt_batch and retire_encryption_keys.';

create function private.count_under_old_keys()
returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_current constant text := (select max(id)::text from private.encryption_keys);
  v_column private.encrypted_columns;
  v_rows bigint;
  v_total bigint := 0;
begin
  for v_column in select * from private.encrypted_columns loop
    execute format('select count(*) from %s where %s', v_column.table_name, private.old_key_condition(v_column))
    into v_rows
    using v_current;
    v_total := v_total + v_rows;
  end loop;
  return v_total;
end;
$$;
comment on function private.count_under_old_keys is
  'How many values are still encrypted under older keys. For reencrypt_batch and retire_encryption_keys.';

create function private.reencrypt_batch(p_limit integer)
returns bigint
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_current constant text := (select max(id)::text from private.encryption_keys);
  v_column private.encrypted_columns;
  v_rows integer;
  v_room integer := p_limit;
begin
  if p_limit is null or p_limit < 1 then
    perform private.raise_error('invalid_input', 'A batch holds at least one value.');
  end if;
  perform set_config('vintner.acting', 'reencryption', true);
  for v_column in select * from private.encrypted_columns order by table_name, column_name loop
    exit when v_room <= 0;
    -- a row that somebody is writing waits for a later batch, and nobody waits for this one in a circle
    execute format(
      'update %1$s set %2$I = private.reencrypt(%2$I, %3$L, %4$I) '
      'where ctid = any (array(select ctid from %1$s where %5$s limit $2 for update skip locked))',
      v_column.table_name, v_column.column_name, v_column.purpose, v_column.row_id_column,
      private.old_key_condition(v_column))
    using v_current, v_room;
    get diagnostics v_rows = row_count;
    v_room := v_room - v_rows;
  end loop;
  perform set_config('vintner.acting', '', true);
  return private.count_under_old_keys();
end;
$$;
comment on function private.reencrypt_batch is 'See public.reencrypt_batch.';
grant execute on function private.reencrypt_batch to service_role;

create function public.reencrypt_batch(p_limit integer default 500)
returns bigint
language sql volatile set search_path = ''
as $$ select private.reencrypt_batch(p_limit) $$;
comment on function public.reencrypt_batch is
  'Re-encrypts up to p_limit values under the newest key and returns how many are left; to be repeated until none is. '
  'May be stopped and gone on with at any time, while others write. For service_role.';
grant execute on function public.reencrypt_batch to service_role;

create function private.retire_encryption_keys()
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_current constant integer := (select max(id) from private.encryption_keys);
  v_left bigint;
  v_retired integer;
begin
  -- an older snapshot would not see what the writers that are waited for have written
  if current_setting('transaction_isolation') <> 'read committed' then
    perform private.raise_error('invalid_input', 'Keys are retired in a READ COMMITTED transaction.');
  end if;
  perform from private.encryption_keys where id < v_current for update;
  v_left := private.count_under_old_keys();
  if v_left > 0 then
    perform private.raise_error('encryption_key_in_use', v_left::text);
  end if;
  delete from vault.secrets as s using private.encryption_keys as k
  where k.id < v_current and s.name = 'vintner_encryption_key_' || k.id;
  delete from private.encryption_keys where id < v_current;
  get diagnostics v_retired = row_count;
  return v_retired;
end;
$$;
comment on function private.retire_encryption_keys is 'See public.retire_encryption_keys.';
grant execute on function private.retire_encryption_keys to service_role;

create function public.retire_encryption_keys()
returns integer
language sql volatile set search_path = ''
as $$ select private.retire_encryption_keys() $$;
comment on function public.retire_encryption_keys is
  'Drops every key but the newest and returns how many; refused while anything is encrypted under one. Waits for '
  'transactions that are writing under them. For service_role.';
grant execute on function public.retire_encryption_keys to service_role;
