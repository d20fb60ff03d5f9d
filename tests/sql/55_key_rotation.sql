-- Rotation: the next key, everything under it in batches, the old key gone. In a database of its own, whose keys it drops.
begin;
select plan(17);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id, p_more => '{"cluster": {}}') as vine from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add identity uuid, add key text;
update t set worker = tests.tendril(owner), key = (select max(id) from private.encryption_keys);
update t set identity = v.cloud_identity_id from public.vines as v where v.id = t.vine;
grant select on t to public;

select tests.act_as((select owner from t));
update public.cloud_identities set credentials = '{"role_arn": "arn:x", "password": "hush", "more": {"deep": "hush"}}'
where id = (select identity from t);
insert into public.provider_tokens (provider, access_token) values ('github', 'hush');
select id from public.enqueue_job((select vine from t), 'DEPLOY');
select tests.act_as((select worker from t));
create temporary table j on commit drop as select id from public.claim_next_job((select worker from t));
select public.start_job((select id from j), 1);
select public.lock_terraform_state((select id from j), 1, '{"ID": "lock"}');
select public.put_terraform_state((select id from j), 1, '{"lineage": "l", "serial": 1, "password": "hush"}', 'lock');
select tests.act_as_owner();
update public.vine_cluster set argocd_admin_password = 'hush' where vine_id = (select vine from t);
-- a DESTROYED vine stays as it was, all but the key of its secrets
update public.vines set status = 'ACTIVE' where id = (select vine from t);
update public.vines set status = 'DESTROYING' where id = (select vine from t);
update public.vines set status = 'DESTROYED' where id = (select vine from t);
update public.cloud_identities set is_verified = true where id = (select identity from t);

create function pg_temp.all_but_keys()
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'identity', (select to_jsonb(c) - 'credentials' || private.decrypted_credentials(c) from public.cloud_identities as c where c.id = t.identity),
    'state', (select to_jsonb(s) - 'ciphertext' || jsonb_build_object('', private.decrypt(s.ciphertext, 'terraform_state', s.id))
      from private.terraform_state_versions as s where s.vine_id = t.vine),
    'cluster', (select to_jsonb(c) || jsonb_build_object('argocd_admin_password', private.decrypt(c.argocd_admin_password, 'argocd_admin_password', c.id))
      from public.vine_cluster as c where c.vine_id = t.vine),
    'token', (select to_jsonb(p) || jsonb_build_object('access_token', private.decrypt(p.access_token, 'access_token', p.id))
      from public.provider_tokens as p where p.user_id = t.owner and p.provider = 'github'),
    'audit', (select count(*) from public.vine_audit_log))
  from t
$$;
create temporary table before on commit drop as select pg_temp.all_but_keys() as everything, access_token
from public.provider_tokens where user_id = (select owner from t);
grant select on before to public;

select tests.act_as((select owner from t));
select throws_ok('select public.rotate_encryption_key()', '42501', null, 'users do not rotate keys');
select throws_ok('select public.reencrypt_batch()', '42501', null, 'nor re-encrypt');
select throws_ok('select public.retire_encryption_keys()', '42501', null, 'nor retire keys');
select tests.act_as_role('service_role');
select is(public.retire_encryption_keys(), 0, 'the only key stays');
select ok(public.rotate_encryption_key() > (select key::integer from t), 'service_role makes the next');
select throws_ok('select public.retire_encryption_keys()', 'PT409', null, 'a key in use is not retired');
select throws_ok('select public.reencrypt_batch(0)', 'PT400', null, 'an empty batch would never end');
create temporary table batches (n serial, remaining bigint) on commit drop;
insert into batches (remaining) select public.reencrypt_batch(1) from generate_series(1, 5);
select results_eq('select remaining from batches order by n', 'values (3::bigint), (2), (1), (0), (0)', 'a batch holds no more than it should, and says what is left');
select is(public.retire_encryption_keys(), 1, 'a key that nothing names is retired');

select tests.act_as_owner();
select is(pg_temp.all_but_keys(), (select everything from before),
  'every secret is as it was, and nothing else has changed: no time, no verification, no audit entry');
select is_empty($$ select 1 from vault.secrets where name = 'vintner_encryption_key_' || (select key from t) $$, 'Vault no longer holds the old key');
select is_empty($$
  select 1 from public.cloud_identities as c where c::text like '%vintner:' || (select key from t) || ':%'
  union all select 1 from public.provider_tokens as p where p::text like '%vintner:' || (select key from t) || ':%'
  union all select 1 from public.vine_cluster as c where c::text like '%vintner:' || (select key from t) || ':%'
  union all select 1 from private.terraform_state_versions as s where s::text like '%vintner:' || (select key from t) || ':%'
$$, 'and nothing names it');

-- a client that read before a rotation writes after it
create temporary table read_before on commit drop as select id, access_token from public.provider_tokens where user_id = (select owner from t);
grant select on read_before to public;
select tests.act_as_role('service_role');
create temporary table rotated on commit drop as select public.rotate_encryption_key() as key, public.reencrypt_batch(100) as remaining;
select is(remaining, 0::bigint, 'one batch may hold everything') from rotated;
select tests.act_as((select owner from t));
update public.provider_tokens as p set access_token = r.access_token, refresh_token = 'hush' from read_before as r where p.id = r.id;
select throws_ok($$ update public.provider_tokens set access_token = (select access_token from before) $$, 'PT400', null,
  'ciphertext under a key that was retired is refused');
select tests.act_as_owner();
select is(private.decrypt(p.access_token, 'access_token', p.id), 'hush', 'ciphertext that was read under an older key may come back')
from public.provider_tokens as p join read_before using (id);
select is(private.count_under_old_keys(), 0::bigint, 'and is under the newest again');

delete from vault.secrets where name like 'vintner_encryption_key_%';
select throws_ok($$ select private.encrypt('x', 'y', gen_random_uuid()) $$, 'PT409', null, 'without its key nothing is stored');

select * from finish();
rollback;
