-- Secrets at rest: ciphertext in every table, plaintext only to the Tendril that holds the job.
begin;
select plan(25);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id, p_more => '{"cluster": {}}') as vine from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid;
update t set worker = tests.tendril(owner);
grant select on t to public;

select tests.act_as((select owner from t));
update public.cloud_identities set credentials = '{"role_arn": "arn:x", "secret_access_key": "hush-hush"}'
where id = (select cloud_identity_id from public.vines where id = (select vine from t));
insert into public.provider_tokens (provider, access_token, refresh_token) values ('github', 'gho_secret', null);

select is((select credentials ->> 'role_arn' from public.cloud_identities where credentials ? 'role_arn'), 'arn:x', 'what is no secret stays readable');
select ok((select credentials ->> 'secret_access_key' like 'vintner:1:%' from public.cloud_identities where credentials ? 'role_arn'), 'a sensitive key is ciphertext');
select ok((select access_token like 'vintner:1:%' and refresh_token is null from public.provider_tokens), 'tokens are ciphertext');
update public.cloud_identities set credentials = credentials || '{"region": "x"}' where credentials ? 'role_arn';
update public.cloud_identities
set credentials = credentials || '{"password": 42, "nested": {"deep": "hush-deep"}, "sessionToken": "hush-camel"}'
where credentials ? 'role_arn';
select is((select count(*)::int from public.cloud_identities as c, jsonb_each_text(c.credentials) as k
  where c.credentials ? 'role_arn' and k.value like 'vintner:1:%'), 4, 'every other key is ciphertext, whatever its value');
select is((select credentials ->> 'region' from public.cloud_identities where credentials ? 'role_arn'), 'x', 'a known key is not');
select throws_ok($$ select private.decrypt('x', 'y', gen_random_uuid()) $$, '42501', null, 'users do not decrypt');
select throws_ok($$ select private.create_encryption_key() $$, '42501', null, 'nor make keys');

select tests.act_as((select owner from t));
select public.enqueue_job((select vine from t), 'DEPLOY');
select tests.act_as((select worker from t));
create temporary table context on commit drop as
select public.get_job_context((public.claim_next_job((select worker from t))).id, 1) -> 'credentials' as credentials;
select is(credentials ->> 'secret_access_key', 'hush-hush', 'the Tendril that holds the job reads it, kept through an update') from context;
select is(credentials -> 'nested' ->> 'deep', 'hush-deep', 'and what is nested, as it was') from context;
select is(credentials -> 'password', '42', 'and what is no text') from context;

-- a ciphertext that is moved is refused
select tests.act_as_owner();
create temporary table stored on commit drop as
select c.id, c.credentials ->> 'secret_access_key' as ciphertext
from public.cloud_identities as c join public.vines as v on v.cloud_identity_id = c.id where v.id = (select vine from t);
select throws_ok(format($$ select private.decrypt(%L, 'credentials', gen_random_uuid()) $$, ciphertext), 'PT409', null, 'to another row') from stored;
select throws_ok(format($$ select private.decrypt(%L, 'access_token', %L) $$, ciphertext, id), 'PT409', null, 'or another purpose') from stored;

-- state
select tests.act_as((select worker from t));
create temporary table j on commit drop as select id from public.provision_jobs where worker_id = (select worker from t);
select throws_ok($$ select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1}', 'lock') $$, 'PT409', null, 'state needs the lock');
select public.start_job((select id from j), 1);
select public.lock_terraform_state((select id from j), 1, '{"ID": "lock"}');
select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "hush-hush"}', 'lock');
select is(public.get_terraform_state((select id from j), 1), '{"lineage": "l", "serial": 1, "password": "hush-hush"}', 'state comes back as it went in');
select lives_ok($$ select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "hush-hush"}', 'lock') $$,
  'the same state again is no conflict');
select throws_ok($$ select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "other"}', 'lock') $$,
  'PT409', null, 'other content under the same serial is');
select throws_ok($$ select public.put_terraform_state((select id from j), 1, '{"password": "hush', 'lock') $$, 'PT400', null, 'nor is it no JSON');
select public.complete_job((select id from j), 1, 'SUCCESS');
select tests.act_as((select owner from t));
create temporary table planned on commit drop as select (public.enqueue_job((select vine from t), 'PLAN')).id;
select tests.act_as((select worker from t));
select public.claim_next_job((select worker from t));
select public.get_job_context((select id from planned), 1) is null;
select public.put_saved_plan((select id from planned), 1, 'aHVzaC1odXNo');


-- what looks like ciphertext is the row's own, or refused
select tests.act_as_owner();
create temporary table before on commit drop as
select c.id, c.credentials, c.updated_at from public.cloud_identities as c join stored using (id);
alter table before add of_another_row text;
update before set of_another_row = private.encrypt('hush', 'credentials', gen_random_uuid());
grant select on before to public;
select tests.act_as((select owner from t));
select lives_ok($$ update public.cloud_identities as c set credentials = b.credentials from before as b where c.id = b.id $$,
  'a client sends back what it read');
select throws_ok($$ update public.cloud_identities as c set credentials = c.credentials || '{"password": "vintner:1:aGVsbG8="}' from before as b where c.id = b.id $$,
  'PT400', null, 'but nothing that only looks like it');
select throws_ok($$ update public.cloud_identities as c set credentials = jsonb_build_object('password', b.of_another_row) from before as b where c.id = b.id $$,
  'PT400', null, 'nor that of another row');
select throws_ok($$ insert into public.cloud_identities (provider, name, credentials) values ('aws', 'x', '"hush"') $$,
  'PT400', null, 'credentials are an object, and no error prints them');

--------------------------------------------------------------------------------------------------
-- Which columns hold secrets
--------------------------------------------------------------------------------------------------

select tests.act_as_owner();
update public.provider_tokens set refresh_token = 'gho_secret' where user_id = (select owner from t);
update public.vine_cluster set argocd_admin_password = 'hush-argo' where vine_id = (select vine from t);
-- every stored value that looks like ciphertext, by column; a vine with everything in it is planted above
create function pg_temp.columns_like(p_pattern text)
returns table (table_name regclass, column_name name)
language plpgsql
as $$
declare
  v_found boolean;
begin
  for table_name, column_name in
    select c.oid, a.attname from pg_class as c join pg_attribute as a on a.attrelid = c.oid
    where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
      and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
  loop
    execute format('select exists (select from %s where %I::text like %L)', table_name, column_name, p_pattern) into v_found;
    if v_found then
      return next;
    end if;
  end loop;
end;
$$;
select set_eq($$ select * from pg_temp.columns_like('%vintner:1:%') $$,
  $$ select table_name, column_name from private.encrypted_columns $$, 'every column that holds ciphertext is registered, and holds it');
select is_empty($$ select * from pg_temp.columns_like('%hush%') union all select * from pg_temp.columns_like('%gho\_secret%') $$,
  'no column of any table holds a secret in clear');
select is_empty($$
  select a.attrelid::regclass, a.attname
  from pg_attribute as a
  join pg_class as c on c.oid = a.attrelid
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'p')
    and a.attnum > 0 and not a.attisdropped and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'json'::regtype, 'bytea'::regtype)
    and a.attname ~ '(password|secret|token|credential|cipher|encrypted|private_key)'
    and not exists (select from private.encrypted_columns as e where e.table_name = a.attrelid and e.column_name = a.attname)
    -- a hash that proves nothing, and the name of a secret that the cloud keeps
    and a.attname not in ('token_hash', 'master_credentials_secret_arn')
$$, 'a column whose name speaks of a secret is registered');
select is_empty($$
  select e.table_name, e.column_name from private.encrypted_columns as e
  join pg_class as c on c.oid = e.table_name
  where c.relnamespace = 'public'::regnamespace and not exists (
    select from pg_trigger as g where g.tgrelid = c.oid and g.tgname = 'encrypt'
  )
$$, 'and has its trigger where clients can write');

select * from finish();
rollback;
