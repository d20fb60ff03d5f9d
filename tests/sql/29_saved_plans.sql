-- Saved plans: kept for the DEPLOY that names them, for a while, and no longer than they hold.
begin;
select plan(75);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('stranger') as stranger, tests.plant(o.id, p_more => '{"network": {}}') as vine, tests.plant(o.id) as other
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add second uuid, add plan uuid, add job uuid;
update t set worker = tests.tendril(owner), second = tests.tendril(owner);
grant select, update on t to public;

create function pg_temp.say(p_who text, p_sql text) returns text language sql as $$
  select tests.outcome((select (to_jsonb(t) ->> p_who)::uuid from t), p_sql) $$;
create function pg_temp.begin_plan() returns void language plpgsql as $$
begin
  perform tests.act_as((select owner from t));
  update t set plan = (public.enqueue_job(vine, 'PLAN')).id;
  perform tests.act_as((select worker from t));
  perform public.claim_next_job((select worker from t));
  perform public.start_job((select plan from t), 1);
  perform public.get_job_context((select plan from t), 1);
  perform tests.act_as_owner();
  -- the whole script is one moment: now() stands still in it
  update public.provision_jobs set started_at = clock_timestamp() where id = (select plan from t);
end $$;
create function pg_temp.end_plan() returns void language plpgsql as $$
begin
  perform tests.act_as((select worker from t));
  perform public.put_saved_plan((select plan from t), 1, 'cGxhbg==', '{"add": 2}');
  perform public.complete_job((select plan from t), 1, 'SUCCESS');
  perform tests.act_as_owner();
end $$;
create function pg_temp.deploy() returns text language plpgsql as $$
declare
  v_outcome constant text := pg_temp.say('owner', $q$ select (public.enqueue_job(vine, 'DEPLOY', 'k' || clock_timestamp(), null, plan)).id from t $q$);
begin
  if v_outcome like '%-%' then
    update t set job = v_outcome::uuid;
    return 'QUEUED';
  end if;
  return v_outcome;
end $$;
create function pg_temp.cancel() returns void language plpgsql as $$
begin
  perform pg_temp.say('owner', 'select public.cancel_job(job) from t');
end $$;

--------------------------------------------------------------------------------------------------
-- Saving
--------------------------------------------------------------------------------------------------

select pg_temp.begin_plan();
select is(pg_temp.say('second', $$ select public.put_saved_plan(plan, 1, 'cGxhbg==') from t $$), 'lease_lost', 'the fence holds');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 2, 'cGxhbg==') from t $$), 'lease_lost', 'with its attempt');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, 'p?') from t $$), 'invalid_input', 'a plan is Base64');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, '') from t $$), 'invalid_input', 'and not empty');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, null) from t $$), 'invalid_input', 'or missing');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, 'cGxhbg==', '[]') from t $$), 'invalid_input', 'its summary is an object');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, 'cGxhbg==', jsonb_build_object('x', repeat('x', 70000))) from t $$), 'too_large', 'of a size');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, repeat('AAAA', 8 * 1024 * 1024 + 1)) from t $$), 'too_large', 'as the plan is');
select is(pg_temp.deploy(), 'plan_unusable', 'a PLAN that runs is not applied');
select pg_temp.end_plan();
select is((select execution_metadata -> 'plan' from public.provision_jobs where id = (select plan from t)), '{"add": 2}', 'members read the summary');
select is((select ciphertext like 'vintner:%' from private.saved_plans where job_id = (select plan from t)), true, 'the plan is encrypted');
select is(pg_temp.say('owner', $$ select public.plan_expires_at(j) = now() + interval '7 days' from public.provision_jobs as j where id = (select plan from t) $$), 'true', 'it holds for a week');
create temporary table planned on commit drop as select j from public.provision_jobs as j where j.id = (select plan from t);
grant select on planned to public;
select is(pg_temp.say('stranger', 'select public.plan_expires_at(j) from planned'), null, 'which a stranger does not learn');

--------------------------------------------------------------------------------------------------
-- What may name it
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('owner', $$ select public.enqueue_job(vine, 'PLAN', null, null, plan) from t $$), 'invalid_input', 'a PLAN applies none');
select is(pg_temp.say('owner', $$ select public.enqueue_job(vine, 'DEPLOY', null, null, gen_random_uuid()) from t $$), 'not_found', 'there is no such PLAN');
select is(pg_temp.say('owner', $$ select public.enqueue_job(other, 'DEPLOY', null, null, plan) from t $$), 'not_found', 'or none of this vine');
select is(pg_temp.deploy(), 'QUEUED', 'a DEPLOY of the vine does');
select is((select plan_job_id from public.provision_jobs where id = (select job from t)), (select plan from t), 'and says which');
select is(pg_temp.say('owner', $$ select public.enqueue_job(vine, 'DEPLOY', idempotency_key) from t join public.provision_jobs as j on j.id = t.job $$), 'idempotency_key_reused', 'its key stands for that plan');

--------------------------------------------------------------------------------------------------
-- Applying
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('worker', 'select public.get_saved_plan(job, 1) from t'), 'lease_lost', 'nobody fetches it before the claim');
select is(pg_temp.say('worker', 'select (public.claim_next_job(worker)).id = job from t'), 'true', 'claimed');
select is(pg_temp.say('worker', $$ select public.get_job_context(job, 1) #>> '{job,plan_job_id}' = plan::text from t $$), 'true', 'the context names the PLAN');
select is(pg_temp.say('worker', $$ select (public.start_job(job, 1)).status from t $$), 'PROCESSING', 'started');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '{"ID": "l"}') from t $$), 'plan_unusable', 'who has not fetched it cannot apply another');
select is(pg_temp.say('worker', $$ select public.complete_job(job, 1, 'SUCCESS') from t $$), 'plan_unusable', 'nor say that it was applied');
select is(pg_temp.say('second', 'select public.get_saved_plan(job, 1) from t'), 'lease_lost', 'nor another Tendril fetch it');
select is(pg_temp.say('worker', 'select public.get_saved_plan(job, 1) from t'), 'cGxhbg==', 'its own does');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '{"ID": "l"}') from t $$), null, 'and applies it');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'FAILED')).status from t $$), 'FAILED', 'in part');
select is_empty($$ select from private.saved_plans as s join t on t.plan = s.job_id $$, 'it is used up');
select is(pg_temp.say('owner', 'select public.retry_job(job) from t'), 'plan_unusable', 'and not for a retry');

--------------------------------------------------------------------------------------------------
-- Overtaken
--------------------------------------------------------------------------------------------------

select pg_temp.begin_plan();
select pg_temp.end_plan();
update public.vines set estimated_monthly_cost = 5 where id = (select vine from t);
select is(pg_temp.deploy(), 'QUEUED', 'a price makes no difference');
select pg_temp.cancel();
update private.saved_plans set expires_at = now() where job_id = (select plan from t);
select is(pg_temp.deploy(), 'plan_unusable', 'an expired plan is not applied');
select pg_temp.begin_plan();
select pg_temp.end_plan();
select is_empty($$ select from private.saved_plans where job_id in (select id from public.provision_jobs where vine_id = (select vine from t)) and expires_at <= now() $$, 'and goes when the next one comes');
update public.provision_jobs set started_at = clock_timestamp() where id = (select job from t);
update public.provision_jobs set started_at = clock_timestamp(), completed_at = now() where id = (select job from t);
select is(pg_temp.deploy(), 'plan_unusable', 'a DEPLOY since then counts, whatever came of it');

select pg_temp.begin_plan();
select pg_temp.end_plan();
select is(pg_temp.deploy(), 'QUEUED', 'planned anew');
select is(pg_temp.say('worker', 'select (public.claim_next_job(worker)).id = job from t'), 'true', 'and claimed');
select is(pg_temp.say('worker', 'select public.get_saved_plan(job, 1) from t'), 'cGxhbg==', 'its Tendril has it');
select is(pg_temp.say('owner', $$ insert into public.vine_queues (vine_id, name) select vine, 'late' from t returning 1 $$), '1', 'a component more');
select is(pg_temp.say('worker', 'select (public.start_job(job, 1)).status from t'), 'plan_unusable', 'the plan lacks, so it does not start');
select is(pg_temp.say('worker', 'select public.get_saved_plan(job, 1) from t'), 'plan_unusable', 'nor is it fetched again');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'FAILED', 'stale')).status from t $$), 'FAILED', 'the Tendril says so before it starts');
select is((select status::text from public.vines where id = (select vine from t)), 'FAILED', 'and the vine is as it was');

select pg_temp.begin_plan();
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, 'cGxhbg==') is not null from t $$), 'true', 'a plan is saved');
select is(pg_temp.say('owner', $$ insert into public.vine_queues (vine_id, name) select vine, 'later' from t returning 1 $$), '1', 'a component comes');
select is(pg_temp.say('worker', $$ select public.get_job_context(plan, 1) #>> '{job,id}' = plan::text from t $$), 'true', 'its Tendril asks again');
select is(pg_temp.say('worker', $$ select (public.complete_job(plan, 1, 'SUCCESS')).status from t $$), 'SUCCESS', 'and saves nothing more');
select is(pg_temp.deploy(), 'plan_unusable', 'so that nothing is saved of what was planned at last');

select pg_temp.begin_plan();
select pg_temp.end_plan();
select is(pg_temp.deploy(), 'QUEUED', 'once more');
select pg_temp.say('worker', 'select public.claim_next_job(worker) from t');
select is(pg_temp.say('worker', 'select public.get_saved_plan(job, 1) from t'), 'cGxhbg==', 'fetched');
select is(pg_temp.say('worker', 'select (public.start_job(job, 1)).status from t'), 'PROCESSING', 'and begun');
select is(pg_temp.say('owner', $$ update public.cloud_identities set credentials = '{"key": "other"}' where id = (select v.cloud_identity_id from public.vines as v join t on t.vine = v.id) returning 1 $$), '1', 'other credentials');
select is(pg_temp.say('worker', 'select public.get_job_context(job, 1) from t'), 'plan_unusable', 'are not told to who applies it');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'FAILED')).status from t $$), 'FAILED', 'it fails');

select pg_temp.begin_plan();
select pg_temp.end_plan();
select is(pg_temp.say('owner', $$ select public.push_terraform_state(vine, '{"serial": 9, "lineage": "a"}') from t $$), '9', 'a state is put back');
select is(pg_temp.deploy(), 'plan_unusable', 'and the plan rests on another');
select is(pg_temp.say('owner', $$ select public.get_saved_plan(plan, 1) from t $$), 'lease_lost', 'people never get one');

-- its vine is still DRAFT, so it may be given another account while the PLAN waits
update t set plan = (pg_temp.say('owner', $$ select (public.enqueue_job(other, 'PLAN')).id from t $$))::uuid;
select is(pg_temp.say('owner', $$ with i as (insert into public.cloud_identities (provider, name) values ('local', 'there') returning id)
  update public.vines set cloud_identity_id = i.id from i where vines.id = (select other from t) returning 1 $$), '1', 'a vine that is planned gets another cloud identity');
select is(pg_temp.say('worker', 'select (public.claim_next_job(worker)).id = plan from t'), 'true', 'before the Tendril looks');
select is(pg_temp.say('worker', 'select (public.start_job(plan, 1)).status from t'), 'PROCESSING', 'which starts');
select is(pg_temp.say('worker', $$ select public.put_saved_plan(plan, 1, 'cGxhbg==') from t $$), 'invalid_input', 'nobody plans before asking what');
select is(pg_temp.say('worker', $$ select public.get_job_context(plan, 1) #>> '{cloud_identity,name}' from t $$), 'here', 'which is that of the former');
update public.provision_jobs set started_at = clock_timestamp() where id = (select plan from t);
select pg_temp.end_plan();
select is(pg_temp.say('owner', $$ select public.enqueue_job(other, 'DEPLOY', null, null, plan) from t $$), 'plan_unusable', 'so the plan is for that');

--------------------------------------------------------------------------------------------------
-- What a plan rests on
--------------------------------------------------------------------------------------------------

select pg_temp.begin_plan();
select pg_temp.end_plan();
create temporary table i on commit drop as select v.cloud_identity_id as id from public.vines as v join t on v.id = t.vine;
grant select on i to public;
select is(pg_temp.say('owner', $$ update public.vine_network set cidr_block = '10.9.0.0/16' where vine_id = (select vine from t) returning 1 $$), '1', 'a change');
select is(pg_temp.deploy(), 'plan_unusable', 'counts in the very moment of the plan');
select is(pg_temp.say('owner', $$ update public.vine_network set cidr_block = '10.0.0.0/16' where vine_id = (select vine from t) returning 1 $$), '1', 'one undone');
select is(pg_temp.deploy(), 'QUEUED', 'is none');
select pg_temp.cancel();
select is(pg_temp.say('owner', $$ update public.cloud_identities set name = 'elsewhere' where id = (select id from i) returning 1 $$), '1', 'a name');
select is(pg_temp.deploy(), 'QUEUED', 'makes no difference');
select pg_temp.cancel();
select is(pg_temp.say('owner', $$ update public.cloud_identities set credentials = '{"password": "hush"}' where id = (select id from i) returning credentials_version $$), '3', 'other credentials');
select is(pg_temp.deploy(), 'plan_unusable', 'may open another account');
select pg_temp.begin_plan();
select pg_temp.end_plan();
select is(pg_temp.say('owner', $$ update public.cloud_identities set credentials = credentials where id = (select id from i) returning credentials_version $$), '3', 'the same ones, sent back');
select tests.act_as_role('service_role');
select public.rotate_encryption_key();
select is(public.reencrypt_batch(), 0::bigint, 'or under another key');
select tests.act_as_owner();
select is(pg_temp.deploy(), 'QUEUED', 'are the same');
select is((select context_sha256 ~ '^[0-9a-f]{64}$' from public.provision_jobs where id = (select plan from t)), true, 'all of it is told by a hash');

select * from finish();
rollback;
