-- Helpers of the other files; stays in the database, in a schema of its own, and runs first.
begin;

create extension if not exists pgtap with schema extensions;

create schema if not exists tests;
grant usage on schema tests to public;

create or replace function tests.sign_up(p_name text)
returns uuid
language sql set search_path = ''
as $$
  insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, confirmation_token, recovery_token,
    email_change, email_change_token_new, raw_app_meta_data, raw_user_meta_data, created_at, updated_at
  )
  select '00000000-0000-0000-0000-000000000000', u.id, 'authenticated', 'authenticated',
         p_name || '-' || u.id || '@example.com', 'x', '', '', '', '', '{}', '{}', now(), now()
  from (select gen_random_uuid() as id) as u
  returning id;
$$;
comment on function tests.sign_up is 'Makes an auth user and returns its id.';

create or replace function tests.act_as(p_user_id uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
  perform set_config('request.jwt.claims',
    json_build_object('sub', p_user_id, 'role', 'authenticated', 'aud', 'authenticated')::text, true);
  perform set_config('role', 'authenticated', true);
end;
$$;
comment on function tests.act_as is 'The rest of the transaction speaks as this user, as the Data API would.';

create or replace function tests.act_as_role(p_role name)
returns void
language plpgsql set search_path = ''
as $$
begin
  perform set_config('request.jwt.claims', json_build_object('role', p_role)::text, true);
  perform set_config('role', p_role, true);
end;
$$;
comment on function tests.act_as_role is 'The rest of the transaction speaks as anon or service_role.';

create or replace function tests.act_as_owner()
returns void
language plpgsql set search_path = ''
as $$
begin
  perform set_config('request.jwt.claims', '', true);
  perform set_config('role', 'none', true);
end;
$$;
comment on function tests.act_as_owner is 'The rest of the transaction speaks as the role that runs the tests.';

create or replace function tests.join_account(p_account_of uuid, p_user_id uuid, p_role public.account_role)
returns void
language sql set search_path = ''
as $$
  insert into public.accounts_memberships (account_id, user_id, role)
  select a.id, p_user_id, p_role from public.accounts as a where a.personal_user_id = p_account_of;
$$;
comment on function tests.join_account is 'Makes a user a member of another''s personal account.';

create or replace function tests.plant(
  p_owner uuid, p_project text default 'shop', p_stage text default 'development', p_more jsonb default '{}'
)
returns uuid
language plpgsql set search_path = ''
as $$
declare
  v_account uuid;
  v_vineyard uuid;
  v_identity uuid;
  v_vine public.vines;
begin
  select id into strict v_account from public.accounts where personal_user_id = p_owner;
  insert into public.vineyards (account_id, user_id, name)
  values (v_account, p_owner, 'vineyard-' || gen_random_uuid()) returning id into v_vineyard;
  insert into public.cloud_identities (account_id, user_id, provider, name)
  values (v_account, p_owner, 'local', 'here') returning id into v_identity;
  v_vine := public.plant_vine(jsonb_build_object(
    'vineyard_id', v_vineyard, 'cloud_identity_id', v_identity, 'project_name', p_project,
    'environment_stage', p_stage, 'region', 'eu-west-1') || p_more);
  return v_vine.id;
end;
$$;
comment on function tests.plant is 'A vine of the owner''s in a vineyard of its own.';

create or replace function tests.tendril(p_owner uuid, p_mode public.worker_mode default 'self-hosted')
returns uuid
language plpgsql set search_path = ''
as $$
declare
  v_id uuid;
begin
  perform tests.act_as(p_owner);
  v_id := public.register_tendril('t-' || gen_random_uuid(), p_mode) ->> 'worker_id';
  perform tests.act_as(v_id);
  perform public.heartbeat('0.1.0');
  perform tests.act_as_owner();
  return v_id;
end;
$$;
comment on function tests.tendril is 'A Tendril of the owner''s that is ONLINE.';

create or replace function tests.outcome(p_user_id uuid, p_sql text)
returns text
language plpgsql set search_path = ''
as $$
declare
  v_result text;
begin
  perform tests.act_as(p_user_id);
  execute p_sql into v_result;
  perform tests.act_as_owner();
  return v_result;
exception when others then
  get stacked diagnostics v_result = pg_exception_detail;
  return coalesce(nullif(v_result, ''), sqlstate);
end;
$$;
comment on function tests.outcome is
  'What a statement of this user''s gives, or the code of the rule that refuses it, else the SQLSTATE.';

grant execute on all functions in schema tests to public;

commit;

begin;
select plan(1);
select has_schema('tests');
select * from finish();
rollback;
