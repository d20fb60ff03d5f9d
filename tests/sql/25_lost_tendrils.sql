-- What becomes of jobs whose Tendril is lost, and who is told to have done it.
begin;
select plan(21);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('other') as other, tests.plant(o.id, p_more => '{"network": {}, "databases": [{"name": "main"}, {"name": "aside"}]}') as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add sweeper uuid;
update t set worker = tests.tendril(owner), sweeper = tests.tendril(other);
grant select on t to public;

create function pg_temp.newest() returns public.provision_jobs language sql as $$
  select * from public.provision_jobs where vine_id = (select vine from t) order by created_at desc limit 1 $$;
create function pg_temp.enqueue(p_type text) returns void language plpgsql as $$
begin
  perform tests.act_as((select owner from t));
  perform public.enqueue_job((select vine from t), p_type);
end $$;
create function pg_temp.claim(p_start boolean) returns void language plpgsql as $$
declare
  v_job public.provision_jobs;
begin
  perform tests.act_as((select worker from t));
  perform public.heartbeat('0.1.0');
  v_job := public.claim_next_job((select worker from t));
  if p_start then
    perform public.start_job(v_job.id, v_job.attempt);
  end if;
end $$;
-- the Tendril falls silent, and somebody else's heartbeat finds out
create function pg_temp.lose() returns text language plpgsql as $$
begin
  perform tests.act_as_owner();
  update public.workers set last_heartbeat = now() - interval '61 s' where id = (select worker from t);
  update public.provision_jobs set claimed_at = now() - interval '61 s' where worker_id = (select worker from t) and status in ('CLAIMED', 'PROCESSING');
  perform tests.act_as((select sweeper from t));
  perform public.heartbeat('0.1.0');
  perform tests.act_as((select owner from t));
  return (pg_temp.newest()).status;
end $$;

select pg_temp.enqueue('PLAN');
select pg_temp.claim(true);
select is(pg_temp.lose(), 'QUEUED', 'a lost PLAN is queued again');
select is((select status::text from public.workers where id = (select worker from t)), 'OFFLINE', 'its Tendril is OFFLINE');
select tests.act_as((select worker from t));
select throws_ok($$ select public.claim_next_job((select worker from t)) $$, 'PT409', null, 'and claims nothing before it is heard of');
select pg_temp.claim(true);
select is(pg_temp.lose(), 'QUEUED', 'a second time too');
select pg_temp.claim(true);
select is(pg_temp.lose(), 'FAILED', 'the third attempt is the last');

select pg_temp.enqueue('PLAN');
select pg_temp.claim(true);
select tests.act_as((select owner from t));
select public.cancel_job((pg_temp.newest()).id);
select is(pg_temp.lose(), 'CANCELLED', 'a PLAN that was to be cancelled is');

select pg_temp.enqueue('DEPLOY');
select pg_temp.claim(false);
select is(pg_temp.lose(), 'QUEUED', 'a DEPLOY that had not started is queued again');
select is(status::text, 'QUEUED', 'and its vine') from public.vines where id = (select vine from t);
select pg_temp.claim(true);
select is(pg_temp.lose(), 'FAILED', 'one that had is FAILED');
select is(status::text, 'FAILED', 'and its vine') from public.vines where id = (select vine from t);
select is((select a.user_id from public.vine_audit_log as a where a.vine_id = (select vine from t) and a.changes -> 'status' ->> 'after' = 'FAILED' and component_type = 'vine'),
  null, 'by nobody, whoever swept');

-- a Tendril that has started anew names none of the jobs of its earlier process
select pg_temp.enqueue('DEPLOY');
select pg_temp.claim(true);
select tests.act_as((select worker from t));
select public.heartbeat('0.1.0');
select is((pg_temp.newest()).status::text, 'PROCESSING', 'what was claimed just now may be under way, named or not');
select tests.act_as_owner();
update public.provision_jobs set claimed_at = now() - interval '16 s' where id = (pg_temp.newest()).id;
select tests.act_as((select worker from t));
select public.heartbeat('0.1.0', p_running_job_ids => array[(pg_temp.newest()).id]);
select is((pg_temp.newest()).status::text, 'PROCESSING', 'what it names is its own');
select is(public.heartbeat('0.1.0', p_running_job_ids => '{null}') -> 'lost_job_ids', '[]', 'null is no job');
select tests.act_as((select owner from t));
select is((pg_temp.newest()).status::text, 'FAILED', 'what it does not name is lost');

-- what a second DEPLOY does to a component that changed, and to one that did not
select pg_temp.enqueue('DEPLOY');
select pg_temp.claim(true);
select public.complete_job((pg_temp.newest()).id, (pg_temp.newest()).attempt, 'SUCCESS', p_outputs => '{"network": {"network_id": "n"}, "databases": {"main": {"endpoint": "e"}}}');
select tests.act_as((select owner from t));
update public.vine_databases set port = 5433 where vine_id = (select vine from t) and name = 'main';
select pg_temp.enqueue('DEPLOY');
select public.cancel_job((pg_temp.newest()).id);
select is((select count(*)::int from public.vine_audit_log where vine_id = (select vine from t) and component_type = 'vine' and action = 'PROVISIONED'),
  1, 'a cancelled DEPLOY provisions nothing');
select pg_temp.enqueue('DEPLOY');
select pg_temp.claim(true);
select tests.act_as((select owner from t));
select results_eq($$
  select name, status::text from public.vine_databases where vine_id = (select vine from t)
  union all select 'network', status::text from public.vine_network where vine_id = (select vine from t) order by 1
$$, $$ values ('aside', 'ACTIVE'), ('main', 'UPDATING'), ('network', 'ACTIVE') $$, 'only what changed is UPDATING');
select tests.act_as((select worker from t));
select public.complete_job((pg_temp.newest()).id, (pg_temp.newest()).attempt, 'SUCCESS');

-- at rest
select pg_temp.enqueue('DESTROY');
select throws_ok($$ select public.enqueue_job((select vine from t), 'PLAN') $$, 'PT409', null, 'nothing is planned behind a DESTROY');
select pg_temp.claim(true);
select tests.act_as((select owner from t));
select throws_ok($$ select public.enqueue_job((select vine from t), 'PLAN') $$, 'PT409', null, 'nor while it runs');
select tests.act_as((select worker from t));
select public.complete_job((pg_temp.newest()).id, (pg_temp.newest()).attempt, 'SUCCESS');
select tests.act_as((select owner from t));
select is((select endpoint from public.vine_databases where vine_id = (select vine from t) and name = 'main'), null, 'what was populated is no more');
select throws_ok($$ insert into public.vine_queues (vine_id, name) select vine, 'late' from t $$, 'PT409', null, 'a DESTROYED vine stays as it was');

select * from finish();
rollback;
