-- Approvals: which jobs wait for one, who gives it, and what becomes of a job that is refused.
begin;
select plan(53);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('planner') as planner, tests.sign_up('admin') as admin, tests.sign_up('operator') as operator,
       tests.sign_up('stranger') as stranger, tests.plant(o.id, 'shop', 'production', '{"network": {}}') as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add vineyard uuid, add plan uuid, add job uuid, add trial uuid;
update t set worker = tests.tendril(owner), vineyard = (select vineyard_id from public.vines where id = vine);
select tests.join_account(owner, planner, 'admin'), tests.join_account(owner, operator, 'operator') from t;
grant select, update on t to public;

create function pg_temp.say(p_who text, p_sql text) returns text language sql as $$
  select tests.outcome((select (to_jsonb(t) ->> p_who)::uuid from t), p_sql) $$;
create function pg_temp.newest() returns public.provision_jobs language sql security definer as $$
  select * from public.provision_jobs where vine_id = (select vine from t) order by created_at desc limit 1 $$;
create function pg_temp.vine_status() returns text language sql security definer as $$ select status::text from public.vines where id = (select vine from t) $$;
-- a PLAN of the planner's that has ended well and saved its plan
create function pg_temp.plan() returns void language plpgsql as $$
declare
  v_job public.provision_jobs;
begin
  perform tests.act_as((select planner from t));
  update t set plan = (public.enqueue_job(vine, 'PLAN')).id;
  perform tests.act_as((select worker from t));
  v_job := public.claim_next_job((select worker from t));
  perform public.start_job(v_job.id, 1);
  perform public.get_job_context(v_job.id, 1);
  perform public.put_saved_plan(v_job.id, 1, 'cGxhbg==');
  perform public.complete_job(v_job.id, 1, 'SUCCESS');
  perform tests.act_as_owner();
  -- the whole script is one moment: now() stands still in it
  update public.provision_jobs set started_at = clock_timestamp() where id = v_job.id;
end $$;
create function pg_temp.deploy(p_who text) returns text language plpgsql as $$
declare
  v_code constant text := pg_temp.say(p_who, $q$ select (public.enqueue_job(vine, 'DEPLOY', null, null, plan)).status from t $q$);
begin
  update t set job = (pg_temp.newest()).id;
  return v_code;
end $$;

--------------------------------------------------------------------------------------------------
-- What has to wait
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('operator', $$ update public.vineyards set requires_approval = true where id = (select vineyard from t) returning 1 $$), null, 'an operator does not make the rule');
select is(pg_temp.say('planner', $$ update public.vineyards set requires_approval = true where id = (select vineyard from t) returning 1 $$), '1', 'an admin does');
select is(pg_temp.say('operator', $$ select public.enqueue_job(vine, 'DEPLOY') from t $$), 'plan_required', 'what is to be approved is planned first');
select pg_temp.plan();
select is(pg_temp.deploy('owner'), 'approver_missing', 'nobody is left to approve');
select tests.join_account(owner, admin, 'admin') from t;
select is(pg_temp.deploy('operator'), 'QUEUED', 'a DEPLOY of production is queued');
select ok((pg_temp.newest()).approval_required, 'it wants an approval');
select is(public.waiting_on(pg_temp.newest()), 'approval', 'and says so');
select is(pg_temp.say('worker', $$ select (public.claim_next_job(worker)).id from t $$), null, 'no Tendril gets it');
select is(pg_temp.say('operator', $$ select (public.enqueue_job(vine, 'PLAN')).status from t $$), 'QUEUED', 'a PLAN does not wait behind it');
select is(pg_temp.say('worker', $$ select (public.claim_next_job(worker)).job_type from t $$), 'PLAN', 'but runs');
select is(pg_temp.say('operator', $$ select (public.cancel_job((pg_temp.newest()).id)).status from t $$), 'CANCELLED', 'to be cancelled here');

--------------------------------------------------------------------------------------------------
-- Who approves
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('stranger', 'select public.approve_job(job) from t'), 'not_found', 'a stranger sees no job');
select is(pg_temp.say('worker', 'select public.approve_job(job) from t'), 'not_found', 'nor a Tendril');
select is(pg_temp.say('operator', 'select public.approve_job(job) from t'), 'not_allowed', 'an operator approves nothing');
select is(pg_temp.say('planner', 'select public.approve_job(job) from t'), 'approval_needs_another', 'nor who planned it');
select is(pg_temp.say('admin', 'select public.approve_job(plan) from t'), 'approval_not_wanted', 'a PLAN waits for nobody');
select is(pg_temp.say('admin', 'select (public.approve_job(job)).approved_by = admin from t'), 'true', 'another admin approves');
select is(pg_temp.say('owner', 'select public.approve_job(job) from t'), 'approval_not_wanted', 'once');
select is(pg_temp.say('owner', $$ select public.reject_job(job, 'late') from t $$), 'approval_not_wanted', 'and for good');
select is((select user_id from public.vine_audit_log where component_type = 'job' and component_id = (select job from t) and changes ? 'approved_by'),
  (select admin from t), 'the log says who');
select is(pg_temp.say('worker', $$ select (public.claim_next_job(worker)).id = job from t $$), 'true', 'now a Tendril gets it');
select is(pg_temp.say('operator', 'select (public.cancel_job(job)).status from t'), 'CANCELLED', 'it is cancelled as any other');
select is(pg_temp.vine_status(), 'DRAFT', 'and the vine is as it was');

select is(pg_temp.deploy('admin'), 'QUEUED', 'an admin asks');
select is(pg_temp.say('admin', 'select public.approve_job(job) from t'), 'approval_needs_another', 'and does not approve the own job');

--------------------------------------------------------------------------------------------------
-- An approver who is none any more
--------------------------------------------------------------------------------------------------

create function pg_temp.make(p_who text, p_role text) returns text language sql as $$
  select pg_temp.say('owner', format('select (public.set_member_role(a.id, %s, %L)).role from t join public.accounts as a on a.personal_user_id = t.owner', p_who, p_role)) $$;
select is(pg_temp.say('owner', 'select (public.approve_job(job)).approved_by = owner from t'), 'true', 'the owner approves what an admin asked for');
select is(pg_temp.say('operator', 'select (public.cancel_job(job)).status from t'), 'CANCELLED', 'which is not wanted after all');
select is(pg_temp.deploy('operator'), 'QUEUED', 'an operator asks');
select is(pg_temp.say('admin', 'select (public.approve_job(job)).approved_by = admin from t'), 'true', 'the admin approves');
select is(pg_temp.make('admin', 'owner'), 'personal_account', 'whatever else becomes of that one');
select is(public.waiting_on(pg_temp.newest()) is distinct from 'approval', true, 'the approval stands');
select is(pg_temp.make('admin', 'operator'), 'operator', 'until it is no admin');
select is(public.waiting_on(pg_temp.newest()), 'approval', 'then another approval is wanted');
select is(pg_temp.say('worker', $$ select (public.claim_next_job(worker)).id from t $$), null, 'before a Tendril gets the job');
select is((select jsonb_agg(user_id = (select owner from t) order by seq) from public.vine_audit_log where component_type = 'job' and component_id = (select job from t)),
  '[false, true]', 'the log says by whose doing');
select is(pg_temp.say('owner', 'select (public.approve_job(job)).approved_by = owner from t'), 'true', 'the owner approves');
select is(pg_temp.say('worker', $$ select (public.claim_next_job(worker)).id = job from t $$), 'true', 'and it is claimed');
update public.accounts_memberships set role = 'admin' where user_id = (select admin from t) and account_id = (select account_id from public.vines where id = (select vine from t));
update public.provision_jobs set approved_by = (select admin from t) where id = (select job from t);
delete from auth.users where id = (select admin from t);
select is(pg_temp.say('worker', 'select public.start_job(job, 1) from t'), 'approval_withdrawn', 'an approver whose user goes takes the approval along to the last moment');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'FAILED')).status from t $$), 'FAILED', 'so it fails');
select is(pg_temp.vine_status(), 'DRAFT', 'without harm');
update t set admin = tests.sign_up('admin');
select tests.join_account(owner, admin, 'admin') from t;
select is(pg_temp.deploy('admin'), 'QUEUED', 'and is asked for anew, with its plan');

--------------------------------------------------------------------------------------------------
-- Rejected, overtaken, and under another rule
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('operator', $$ select public.reject_job(job, 'no') from t $$), 'not_allowed', 'an operator rejects nothing');
select is(pg_temp.say('owner', $$ select public.reject_job(job, ' ') from t $$), 'invalid_input', 'a rejection says why');
select is(pg_temp.say('owner', $$ select (public.reject_job(job, 'not on a Friday')).error_message from t $$), 'It was rejected: not on a Friday', 'which the job shows');
select is((pg_temp.newest()).status || ' ' || pg_temp.vine_status(), 'CANCELLED DRAFT', 'and the vine is as it was');
select is(pg_temp.deploy('operator'), 'QUEUED', 'asked for again');
select is(pg_temp.say('operator', $$ update public.vine_network set cidr_block = '10.1.0.0/16' where vine_id = (select vine from t) returning 1 $$), '1', 'the vine changes');
select is(pg_temp.say('admin', 'select public.approve_job(job) from t'), 'plan_unusable', 'so what would be approved is not what is wanted');
select is(pg_temp.say('planner', $$ update public.vineyards set requires_approval = false where id = (select vineyard from t) returning 1 $$), '1', 'the rule ends');
select is(public.waiting_on(pg_temp.newest()), 'approval', 'but not for what waits');
select is(pg_temp.say('operator', $$ select (public.cancel_job(job)).status from t $$), 'CANCELLED', 'that is withdrawn');
select is(pg_temp.say('operator', $$ select (public.enqueue_job(vine, 'DEPLOY')).approval_required from t $$), 'false', 'and asked for anew');
update public.vineyards set requires_approval = true where id = (select vineyard from t);
select is(pg_temp.say('worker', $$ select (public.claim_next_job(worker)).job_type from t $$), 'DEPLOY', 'a job keeps the rule that it was queued under');

select * from finish();
rollback;
