-- The audit log: who did what, what changed, and that it stays. In a database of its own, for it tries to empty a table.
begin;
select plan(33);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id, p_more => '{"databases": [{"name": "main"}]}') as vine
from (select tests.sign_up('owner') as id) as o;
grant select on t to public;

select tests.act_as((select owner from t));
update public.vine_databases set port = 5433 where vine_id = (select vine from t);
update public.vine_databases set port = 5433 where vine_id = (select vine from t);
select results_eq($$
  select action::text, component_type, user_id, changes from public.vine_audit_log
  where vine_id = (select vine from t) and action = 'UPDATED'
$$, $$ select 'UPDATED', 'database', owner, '{"port": {"before": 5432, "after": 5433}}'::jsonb from t $$,
  'a change names who, what, before and after; no change says nothing');
select is((select changes -> 'project_name' from public.vine_audit_log where vine_id = (select vine from t) and component_type = 'vine'),
  '{"after": "shop"}', 'a vine''s making is there');
delete from public.vine_databases where vine_id = (select vine from t);
select is((select changes -> 'port' from public.vine_audit_log where vine_id = (select vine from t) and action = 'DELETED'),
  '{"before": 5433}', 'a component''s end too');
delete from public.vines where id = (select vine from t);
select is((select count(*)::int from public.vine_audit_log where component_id = (select vine from t)), 2, 'the log outlives its vine');
select is((select user_id from public.vine_audit_log where component_id = (select vine from t) and action = 'DELETED'),
  (select owner from t), 'and says who deleted it');


--------------------------------------------------------------------------------------------------
-- Append-only
--------------------------------------------------------------------------------------------------

select throws_ok('update public.vine_audit_log set user_id = null where true', '42501', null, 'users do not rewrite it');
select tests.act_as_owner();
select throws_ok('update public.vine_audit_log set action = ''CREATED'' where true', 'PT403', null, 'nor does anyone else');
select throws_ok('update public.vine_audit_log set user_id = null where user_id is not null', 'PT403', null, 'not even who did it');
select throws_ok('delete from public.vine_audit_log where true', 'PT403', null, 'nor delete from it');
select throws_ok('truncate public.vine_audit_log', 'PT403', null, 'nor empty it');

--------------------------------------------------------------------------------------------------
-- Who did it
--------------------------------------------------------------------------------------------------

alter table t add worker uuid, add stranger uuid;
update t set worker = tests.tendril(owner), stranger = tests.sign_up('stranger'), vine = tests.plant(owner, 'garden', p_more => '{"cluster": {}}');
select tests.act_as((select owner from t));
create temporary table j on commit drop as select id from public.enqueue_job((select vine from t), 'DEPLOY');
grant select on j to public;
select tests.act_as((select worker from t));
select public.claim_next_job((select worker from t));
select public.start_job((select id from j), 1);
select public.complete_job((select id from j), 1, 'SUCCESS', null, '{"cluster": {"cluster_name": "c"}}');
select tests.act_as((select owner from t));
select results_eq($$
  select action::text, component_type, user_id = owner, user_id = worker, changes -> 'status' ->> 'after'
  from public.vine_audit_log cross join t
  where vine_ref = vine and action <> 'CREATED' and changes ? 'status' order by seq
$$, $$ values
  ('UPDATED', 'vine', true, false, 'QUEUED'),
  ('UPDATED', 'vine', false, true, 'PROVISIONING'),
  ('UPDATED', 'cluster', false, true, 'CREATING'),
  ('PROVISIONED', 'cluster', false, true, 'ACTIVE'),
  ('PROVISIONED', 'vine', false, true, 'ACTIVE')
$$, 'a job''s steps in their order: the user asks, the Tendril provisions');
select tests.act_as((select owner from t));
create temporary table k on commit drop as select id from public.enqueue_job((select vine from t), 'DESTROY');
grant select on k to public;
select tests.act_as((select worker from t));
select public.claim_next_job((select worker from t));
select public.start_job((select id from k), 1);
select tests.act_as_owner();
update public.workers set last_heartbeat = now() - interval '1 hour' where id = (select worker from t);
update public.provision_jobs set claimed_at = now() - interval '1 hour' where id = (select id from k);
-- anyone's call sweeps; the database, not the caller, fails the job
select set_config('request.jwt.claims', json_build_object('sub', (select owner from t), 'role', 'authenticated')::text, true);
select private.sweep();
select results_eq($$
  select action::text, component_type, user_id, changes -> 'status' ->> 'after' from public.vine_audit_log
  where vine_ref = (select vine from t) and changes -> 'status' ->> 'before' = 'DESTROYING' order by component_type
$$, $$ values ('UPDATED', 'cluster', null::uuid, 'FAILED'), ('UPDATED', 'vine', null, 'FAILED') $$, 'what a sweep does, the database did');
update t set worker = tests.tendril(owner);
select tests.act_as((select owner from t));
create temporary table l on commit drop as select id from public.enqueue_job((select vine from t), 'DESTROY');
grant select on l to public;
select tests.act_as((select worker from t));
select public.claim_next_job((select worker from t));
select public.start_job((select id from l), 1);
select public.complete_job((select id from l), 1, 'SUCCESS');
select tests.act_as_owner();
select results_eq($$
  select component_type, user_id = worker from public.vine_audit_log cross join t
  where vine_ref = vine and action = 'DESTROYED' order by seq
$$, $$ values ('cluster', true), ('vine', true) $$, 'DESTROYED comes from the job''s end');

--------------------------------------------------------------------------------------------------
-- What is about no vine, and secrets
--------------------------------------------------------------------------------------------------

select tests.act_as_owner();
alter table t add admin uuid, add identity uuid, add account uuid;
update t set admin = tests.sign_up('admin');
update t set identity = v.cloud_identity_id, account = v.account_id from public.vines as v where v.id = t.vine;
select tests.join_account(owner, admin, 'operator') from t;
select tests.act_as((select owner from t));
update public.cloud_identities set name = 'there', credentials = '{"password": "hush"}' where id = (select identity from t);
insert into public.provider_tokens (provider, access_token) values ('github', 'hush');
select results_eq($$
  select action::text, changes - '{is_verified,credentials_version}'::text[] from public.vine_audit_log
  where component_type = 'cloud_identity' and component_id = (select identity from t) order by seq
$$, $$ values
  ('CREATED', jsonb_build_object('id', jsonb_build_object('after', (select identity from t)), 'name', '{"after": "here"}'::jsonb,
    'provider', '{"after": "local"}'::jsonb, 'user_id', jsonb_build_object('after', (select owner from t)), 'credentials', 'redacted')),
  ('UPDATED', '{"name": {"before": "here", "after": "there"}, "credentials": "redacted"}')
$$, 'a cloud identity''s changes are there, its secrets are not');
select results_eq($$
  select action::text, component_id = admin, user_ref, changes ->> 'role' from public.vine_audit_log cross join t
  where account_id = account and component_type = 'membership' and component_id = admin
$$, $$ values ('CREATED', true, null::uuid, '{"after": "operator"}') $$, 'and who was made a member, as what');
select is((select changes ->> 'access_token' from public.vine_audit_log where component_type = 'provider_token'), 'redacted', 'a token is redacted');

--------------------------------------------------------------------------------------------------
-- Reveals
--------------------------------------------------------------------------------------------------

select is(public.reveal_credentials((select identity from t)), '{"password": "hush"}', 'an admin sees credentials in clear');
select is(public.reveal_provider_token(id), '{"access_token": "hush", "refresh_token": null}', 'a user their tokens') from public.provider_tokens;
select is(public.reveal_argocd_admin_password((select vine from t)), null, 'a password that is not there is null');
select results_eq($$
  select component_type, component_id = identity, user_id, account_id, changes
  from public.vine_audit_log cross join t where account_id = account and action = 'REVEALED' order by seq
$$, $$
  select s.type, s.type = 'cloud_identity', owner, account, '{}'::jsonb
  from t cross join (values ('cloud_identity'), ('provider_token'), ('cluster')) as s (type)
$$, 'the log tells of each, and of nothing in it');
create temporary table token on commit drop as select id from public.provider_tokens;
grant select on token to public;
select tests.act_as((select admin from t));
select throws_ok('select public.reveal_credentials((select identity from t))', 'PT403', null, 'an operator does not');
select throws_ok('select public.reveal_argocd_admin_password((select vine from t))', 'PT403', null, 'nor the password of ArgoCD');
select throws_ok('select public.reveal_provider_token((select id from token))', 'PT404', null, 'nor anyone else''s token');
select is((select count(*)::int from public.vine_audit_log where action = 'REVEALED'), 3, 'a member reads the log');
select tests.act_as_owner();
update public.accounts_memberships set role = 'admin' where user_id = (select admin from t) and account_id = (select account from t);
update t set vine = tests.plant(owner, 'bed', 'production', '{"cluster": {}}');
update public.vine_cluster set argocd_admin_password = 'hush' where vine_id = (select vine from t);
select is((select changes from public.vine_audit_log where vine_id = (select vine from t) and component_type = 'cluster' and action = 'UPDATED'),
  '{"argocd_admin_password": "redacted"}', 'a password that is filled in is redacted');
select tests.act_as((select admin from t));
select is(public.reveal_credentials((select identity from t)), '{"password": "hush"}', 'an admin does');
select is(public.reveal_argocd_admin_password((select vine from t)), 'hush', 'and sees the password of ArgoCD');
select tests.act_as((select worker from t));
select throws_ok('select public.reveal_credentials((select identity from t))', 'PT404', null, 'a Tendril does not see the identity');
select tests.act_as((select stranger from t));
select throws_ok('select public.reveal_credentials((select identity from t))', 'PT404', null, 'nor does a stranger');
select throws_ok('select public.reveal_argocd_admin_password((select vine from t))', 'PT404', null, 'nor the vine');
select is((select count(*)::int from public.vine_audit_log), 1, 'nor the log of others');

--------------------------------------------------------------------------------------------------
-- It outlives
--------------------------------------------------------------------------------------------------

select tests.act_as_owner();
create temporary table entries on commit drop as
select count(*) as n from public.vine_audit_log where user_ref = (select admin from t);
delete from auth.users where id = (select admin from t);
select is((select count(*) from public.vine_audit_log where user_ref = (select admin from t) and user_id is null), n,
  'who did it stays when the user goes') from entries;
select is((select count(*)::int from public.vine_audit_log where component_type = 'membership' and action = 'DELETED' and component_id = (select admin from t)
  and account_id = (select account from t)), 1, 'and so does that they went');

select * from finish();
rollback;
