-- Asking for jobs: of vines and of cloud identities, once more, and not after all.
begin;
select plan(40);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('admin') as admin, tests.sign_up('operator') as operator, tests.sign_up('viewer') as viewer,
       tests.sign_up('stranger') as stranger, tests.plant(o.id, p_more => '{"network": {}}') as vine,
       tests.plant(o.id, 'till', 'production') as precious
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add identity uuid;
select tests.join_account(owner, admin, 'admin'), tests.join_account(owner, operator, 'operator'), tests.join_account(owner, viewer, 'viewer') from t;
update t set worker = tests.tendril(owner), identity = (select cloud_identity_id from public.vines where id = vine);
grant select on t to public;

create function pg_temp.newest() returns public.provision_jobs language sql security definer as $$
  select * from public.provision_jobs where account_id = (select account_id from public.vines where id = (select vine from t)) order by created_at desc limit 1 $$;
create function pg_temp.vine_status() returns text language sql security definer as $$ select status::text from public.vines where id = (select vine from t) $$;
create function pg_temp.say(p_who text, p_sql text) returns text language sql as $$
  select tests.outcome((select (to_jsonb(t) ->> p_who)::uuid from t), p_sql) $$;
create function pg_temp.claim(p_start boolean default true) returns public.provision_jobs language plpgsql as $$
declare
  v_job public.provision_jobs;
begin
  perform tests.act_as((select worker from t));
  v_job := public.claim_next_job((select worker from t));
  if p_start then
    v_job := public.start_job(v_job.id, v_job.attempt);
  end if;
  return v_job;
end $$;
create function pg_temp.finish_job(p_status public.provision_job_status) returns public.provision_job_status language plpgsql as $$
declare
  v_job public.provision_jobs;
begin
  perform tests.act_as_owner();
  v_job := pg_temp.newest();
  perform tests.act_as((select worker from t));
  return (public.complete_job(v_job.id, v_job.attempt, p_status)).status;
end $$;

--------------------------------------------------------------------------------------------------
-- Cloud identities
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('stranger', $$ select public.enqueue_identity_job(identity, 'CONNECTION_TEST') from t $$), 'not_found', 'a stranger''s identity is not there');
select is(pg_temp.say('viewer', $$ select public.enqueue_identity_job(identity, 'CONNECTION_TEST') from t $$), 'not_allowed', 'a viewer runs nothing');
select is(pg_temp.say('operator', $$ select public.enqueue_identity_job(identity, 'PLAN') from t $$), 'invalid_input', 'an identity is not planned');
select is(pg_temp.say('operator', $$ select public.enqueue_job(vine, 'CONNECTION_TEST') from t $$), 'invalid_input', 'nor a vine tested');
select is(pg_temp.say('operator', format('select public.enqueue_job(vine, %L) from t', job_type)), 'invalid_input', job_type || ' is not run yet')
from unnest('{BOOTSTRAP,DEPLOY_WORKER,DESTROY_WORKER}'::text[]) as j (job_type);
select is(pg_temp.say('operator', $$ select (public.enqueue_identity_job(identity, 'CONNECTION_TEST', 'k')).status from t $$), 'QUEUED', 'an operator has it tested');
select is(pg_temp.say('operator', $$ select (public.enqueue_identity_job(identity, 'CONNECTION_TEST', 'k')).id from t $$), (pg_temp.newest()).id::text, 'the same key gives the same job');
select is(pg_temp.say('operator', $$ select public.enqueue_identity_job(identity, 'FETCH_RESOURCES', 'k') from t $$), 'idempotency_key_reused', 'for the same request alone');
select is((pg_temp.claim()).job_type, 'CONNECTION_TEST', 'a Tendril claims it');
select results_eq($$ select c -> 'cloud_identity' ->> 'id', c -> 'vine', c -> 'components' from public.get_job_context((pg_temp.newest()).id, 1) as c $$,
  $$ select identity::text, 'null'::jsonb, 'null'::jsonb from t $$, 'its context is the identity alone');
select is(pg_temp.say('owner', $$ update public.cloud_identities set name = 'renamed' where id = (select identity from t) returning 1 $$), '1', 'what it is called makes no difference');
select tests.act_as((select worker from t));
select is(pg_temp.finish_job('SUCCESS'), 'SUCCESS', 'it passes');
select tests.act_as_owner();
select ok((select is_verified from public.cloud_identities where id = (select identity from t)), 'the identity is verified');
select is(pg_temp.say('operator', $$ select (public.enqueue_identity_job(identity, 'CONNECTION_TEST')).status from t $$), 'QUEUED', 'and tested again');
select tests.act_as_owner();
-- one transaction has one now(): the next job starts at it, and so before the identity was verified
set local session_replication_role = replica;
update public.cloud_identities set updated_at = now() where id = (select identity from t);
set local session_replication_role = origin;
select pg_temp.claim();
select pg_temp.finish_job('FAILED');
select tests.act_as_owner();
select ok(not (select is_verified from public.cloud_identities where id = (select identity from t)), 'what fails its test is not');
select pg_temp.say('operator', $$ select public.retry_job((pg_temp.newest()).id) $$);
select is((pg_temp.newest()).status || (pg_temp.newest()).job_type, 'QUEUEDCONNECTION_TEST', 'a failed test is tried again');
select pg_temp.claim();
select tests.act_as_owner();
select pg_temp.say('worker', format('select public.get_job_context(%L, 1) is null', (pg_temp.newest()).id));
update public.cloud_identities set credentials = '{"key": "new"}' where id = (select identity from t);
select pg_temp.finish_job('SUCCESS');
select tests.act_as_owner();
select ok(not (select is_verified from public.cloud_identities where id = (select identity from t)), 'a test says nothing of credentials that changed meanwhile');

--------------------------------------------------------------------------------------------------
-- Retry
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('operator', $$ select (public.enqueue_job(vine, 'DEPLOY')).status from t $$), 'QUEUED', 'a DEPLOY');
select is(pg_temp.say('operator', $$ select public.retry_job((pg_temp.newest()).id) $$), 'job_not_retryable', 'what waits is not asked for again');
select pg_temp.claim();
select pg_temp.finish_job('FAILED');
select is(pg_temp.say('stranger', format('select public.retry_job(%L)', (pg_temp.newest()).id)), 'not_found', 'a stranger sees no job');
select tests.act_as_owner();
create temporary table failed on commit drop as select (pg_temp.newest()).id;
grant select on failed to public;
select is(pg_temp.say('viewer', $$ select public.retry_job(id) from failed $$), 'not_allowed', 'a viewer runs nothing again');
select is(pg_temp.say('operator', $$ select (public.retry_job(id, 'again')).job_type from failed $$), 'DEPLOY', 'an operator does');
select is(pg_temp.say('operator', $$ select public.retry_job(id, 'again') = pg_temp.newest() from failed $$), 'true', 'once a key');
select is(pg_temp.say('operator', $$ select public.retry_job(id) from failed $$), 'vine_busy', 'by the rules of any DEPLOY');
select is(pg_temp.vine_status(), 'QUEUED', 'the vine is in the queue again');

--------------------------------------------------------------------------------------------------
-- Cancel, and by force
--------------------------------------------------------------------------------------------------

select pg_temp.claim();
select is(pg_temp.say('viewer', $$ select public.cancel_job((pg_temp.newest()).id) $$), 'not_allowed', 'a viewer cancels nothing');
select is(pg_temp.say('admin', $$ select public.cancel_job((pg_temp.newest()).id, true) $$), 'job_not_forceable', 'a job is asked first');
select is(pg_temp.say('operator', $$ select (public.cancel_job((pg_temp.newest()).id)).status $$), 'PROCESSING', 'an operator asks');
select is(pg_temp.say('admin', $$ select public.cancel_job((pg_temp.newest()).id, true) $$), 'job_not_forceable', 'and it has a minute');
select tests.act_as_owner();
update public.provision_jobs set cancel_requested_at = now() - interval '61 s' where id = (pg_temp.newest()).id;
select is(pg_temp.say('operator', $$ select public.cancel_job((pg_temp.newest()).id, true) $$), 'not_allowed', 'force is for admins');
select is(pg_temp.say('operator', $$ select (public.cancel_job((pg_temp.newest()).id, null)).status $$), 'PROCESSING', 'and null is none');
select is(pg_temp.say('admin', $$ select (public.cancel_job((pg_temp.newest()).id, true)).status $$), 'CANCELLED', 'who end it');
select is(pg_temp.vine_status(), 'FAILED', 'its resources may exist');
select is(pg_temp.say('worker', format('select public.complete_job(%L, 1, %L)', (pg_temp.newest()).id, 'SUCCESS')), 'lease_lost', 'what its Tendril says later is refused');
select tests.act_as_owner();
select is((select count(*)::int from public.vine_audit_log where component_type = 'job' and component_id = (pg_temp.newest()).id and user_id = (select admin from t)), 1, 'the log says who');

select tests.act_as_owner();
update public.vines set status = 'QUEUED' where id = (select precious from t);
update public.vines set status = 'FAILED' where id = (select precious from t);
select is(pg_temp.say('operator', $$ select (public.cancel_job((public.enqueue_job(precious, 'DESTROY', null, 'till')).id)).status from t $$), 'CANCELLED', 'a DESTROY is cancelled');
select is(pg_temp.say('operator', $$ select public.retry_job((pg_temp.newest()).id) $$), 'destroy_protected', 'and asked for again with the vine''s name');
select is(pg_temp.say('operator', $$ select (public.retry_job((pg_temp.newest()).id, null, 'till')).status $$), 'QUEUED', 'not without');

select * from finish();
rollback;
