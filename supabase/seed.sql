-- A small vineyard to start from. For local stacks: its user has a known password
-- (vintner@example.com, vintner-local), so a hosted project is never seeded.

insert into public.worker_releases (version, release_notes)
values ('0.1.0', 'First release: PLAN, DEPLOY and DESTROY on the built-in local template.')
on conflict (version) do nothing;

do $$
declare
  v_user constant uuid := 'c0ffee00-0000-4000-8000-000000000001';
  v_account uuid;
  v_vineyard uuid;
  v_identity uuid;
begin
  if exists (select from auth.users) then
    return;
  end if;
  insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, confirmation_token, recovery_token,
    email_change, email_change_token_new, raw_app_meta_data, raw_user_meta_data, created_at, updated_at
  ) values (
    '00000000-0000-0000-0000-000000000000', v_user, 'authenticated', 'authenticated', 'vintner@example.com',
    extensions.crypt('vintner-local', extensions.gen_salt('bf', 10)), now(), '', '', '', '',
    '{"provider": "email", "providers": ["email"]}', '{}', now(), now()
  );
  insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)
  values (
    gen_random_uuid(), v_user, v_user, 'email',
    jsonb_build_object('sub', v_user, 'email', 'vintner@example.com', 'email_verified', true), now(), now()
  );
  select id into strict v_account from public.accounts where personal_user_id = v_user;
  insert into public.vineyards (account_id, user_id, name, description)
  values (v_account, v_user, 'webshop', 'Everything the shop runs on') returning id into v_vineyard;
  insert into public.cloud_identities (account_id, user_id, provider, name)
  values (v_account, v_user, 'local', 'sandbox') returning id into v_identity;
  perform public.plant_vine(jsonb_build_object(
    'vineyard_id', v_vineyard, 'cloud_identity_id', v_identity,
    'project_name', 'shop', 'environment_stage', 'staging', 'region', 'eu-west-1',
    'network', '{"cidr_block": "10.20.0.0/16"}'::jsonb,
    'cluster', '{"cluster_version": "1.31", "instance_types": ["m5.large"]}'::jsonb,
    'dns', '{"domain_name": "shop.example.com"}'::jsonb,
    'databases', '[{"name": "orders"}, {"name": "reports", "max_capacity": 4}]'::jsonb,
    'caches', '[{"name": "sessions"}]'::jsonb,
    'queues', '[{"name": "mail"}]'::jsonb,
    'secrets', '[{"name": "jwt-signing-key", "length": 64}]'::jsonb
  ));
  update public.vines set user_id = v_user where vineyard_id = v_vineyard;
end;
$$;
