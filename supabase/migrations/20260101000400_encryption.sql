-- Encryption: one key, kept in Vault, that never leaves the database. Each ciphertext names its key
-- and holds the purpose and row it was made for, so that a ciphertext moved elsewhere is refused.

create function private.create_encryption_key()
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (select from vault.secrets where name = 'vintner_encryption_key_1') then
    perform vault.create_secret(
      encode(extensions.gen_random_bytes(32), 'hex'),
      'vintner_encryption_key_1',
      'Encrypts credentials, tokens and Terraform state.'
    );
  end if;
end;
$$;
comment on function private.create_encryption_key is
  'Makes the encryption key in Vault, once. For service_role.';
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

create function private.encrypt(p_plaintext text, p_purpose text, p_row_id uuid)
returns text
language sql volatile security definer set search_path = ''
as $$
  select 'vintner:1:' || translate(encode(
    extensions.pgp_sym_encrypt(
      p_purpose || ':' || p_row_id || ':' || p_plaintext,
      private.encryption_key('1'),
      'cipher-algo=aes256, s2k-mode=1'
    ), 'base64'), E'\n', '');
$$;
comment on function private.encrypt is
  'Ciphertext as vintner:<key id>:<base64 of an OpenPGP message>. For triggers; granted to nobody.';

create function private.decrypt(p_ciphertext text, p_purpose text, p_row_id uuid)
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
  if starts_with(v_plaintext, v_prefix) then
    return substr(v_plaintext, length(v_prefix) + 1);
  end if;
  perform private.raise_error('undecryptable', p_purpose);
  return null;
exception
  when external_routine_invocation_exception or invalid_parameter_value then
    perform private.raise_error('undecryptable', p_purpose);
    return null;
end;
$$;
comment on function private.decrypt is
  'The plaintext of private.encrypt, refused where key, purpose or row differ. For definer functions; granted to nobody.';
