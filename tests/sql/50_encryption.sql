-- Secrets at rest: ciphertext in every table, plaintext only to the Tendril that holds the job.
begin;
select plan(17);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id) as vine from (select tests.sign_up('owner') as id) as o;
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
set credentials = credentials || '{"password": "vintner:1:aGVsbG8=", "nested": {"deep": "hush-deep"}, "sessionToken": "hush-camel"}'
where credentials ? 'role_arn';
select is((select count(*)::int from public.cloud_identities as c, jsonb_each_text(c.credentials) as k
  where c.credentials ? 'role_arn' and k.value like 'vintner:1:%'), 4, 'every other key is ciphertext, whatever it looks like');
select is((select credentials ->> 'region' from public.cloud_identities where credentials ? 'role_arn'), 'x', 'a known key is not');
select throws_ok($$ select private.decrypt('x', 'y', gen_random_uuid()) $$, '42501', null, 'users do not decrypt');
select throws_ok($$ select private.create_encryption_key() $$, '42501', null, 'nor make keys');

select tests.act_as((select owner from t));
select public.enqueue_job((select vine from t), 'PLAN');
select tests.act_as((select worker from t));
create temporary table context on commit drop as
select public.get_job_context((public.claim_next_job((select worker from t))).id, 1) -> 'credentials' as credentials;
select is(credentials ->> 'secret_access_key', 'hush-hush', 'the Tendril that holds the job reads it, kept through an update') from context;
select is(credentials -> 'nested' ->> 'deep', 'hush-deep', 'and what is nested, as it was') from context;
select is(credentials ->> 'password', 'vintner:1:aGVsbG8=', 'and what only looked like ciphertext') from context;

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
select public.lock_terraform_state((select id from j), 1, '{"ID": "lock"}');
select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "hush-hush"}', 'lock');
select is(public.get_terraform_state((select id from j), 1), '{"lineage": "l", "serial": 1, "password": "hush-hush"}', 'state comes back as it went in');
select lives_ok($$ select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "hush-hush"}', 'lock') $$,
  'the same state again is no conflict');
select throws_ok($$ select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "other"}', 'lock') $$,
  'PT409', null, 'other content under the same serial is');
select tests.act_as_owner();
select is_empty($$
  select 1 from private.terraform_states as s where s::text like '%hush%'
  union all select 1 from public.cloud_identities as c where c::text like '%hush%'
  union all select 1 from public.provider_tokens as p where p::text like '%gho_secret%'
  union all select 1 from public.vine_audit_log as a where a::text like '%hush%'
$$, 'no table holds a secret in clear');

select * from finish();
rollback;
