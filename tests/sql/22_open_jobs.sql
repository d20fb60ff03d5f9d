-- The line of jobs: priorities, what a job waits for, deadlines, and what is said twice.
begin;
select plan(33);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id, 'shop') as vine, tests.plant(o.id, 'blog') as other
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add cloud uuid;
update t set worker = tests.tendril(owner);
grant select on t to public;

create function pg_temp.enqueue(p_type text, p_vine uuid default null) returns uuid language plpgsql as $$
begin
  perform tests.act_as((select owner from t));
  return (public.enqueue_job(coalesce(p_vine, (select vine from t)), p_type)).id;
end $$;
create function pg_temp.claim() returns public.provision_jobs language plpgsql as $$
begin
  perform tests.act_as((select worker from t));
  return public.claim_next_job((select worker from t));
end $$;
create function pg_temp.job(p_id uuid) returns public.provision_jobs language sql as $$
  select * from public.provision_jobs where id = p_id $$;
create function pg_temp.finish(p_job public.provision_jobs, p_status text default 'SUCCESS') returns text language plpgsql as $$
begin
  perform tests.act_as((select worker from t));
  perform public.start_job(p_job.id, p_job.attempt);
  return (public.complete_job(p_job.id, p_job.attempt, p_status::public.provision_job_status)).status;
end $$;
-- as if so many seconds had passed for a job whose Tendril is well
create function pg_temp.age(p_id uuid, p_seconds integer) returns void language plpgsql as $$
begin
  perform tests.act_as_owner();
  update public.provision_jobs
  set claimed_at = claimed_at - make_interval(secs => p_seconds), started_at = started_at - make_interval(secs => p_seconds),
      deadline = deadline - make_interval(secs => p_seconds), cancel_requested_at = cancel_requested_at - make_interval(secs => p_seconds)
  where id = p_id;
  perform tests.act_as((select worker from t));
end $$;
create function pg_temp.beat(p_job uuid) returns jsonb language plpgsql as $$
begin
  perform tests.act_as((select worker from t));
  return public.heartbeat('1.0.0', 'ONLINE', array[p_job]);
end $$;
create function pg_temp.waits(p_id uuid) returns text language plpgsql as $$
begin
  perform tests.act_as((select owner from t));
  return public.waiting_on(pg_temp.job(p_id));
end $$;

-- priorities, and what waits for what
create temporary table j (plan uuid, deploy uuid, aside uuid) on commit drop;
insert into j values (null, null, null);
grant all on j to public;
update j set plan = pg_temp.enqueue('PLAN');
update j set deploy = pg_temp.enqueue('DEPLOY');
select is(pg_temp.waits(plan), 'vine', 'a PLAN lets the DEPLOY of its vine go first') from j;
select is(pg_temp.waits(deploy), 'tendril', 'which waits for a Tendril') from j;
select tests.act_as_owner();
update public.provision_jobs set approval_required = true where id = (select deploy from j);
select is(pg_temp.waits(deploy), 'approval', 'or for an approval') from j;
select is(pg_temp.waits(plan), 'tendril', 'and then holds up no PLAN') from j;
update j set aside = pg_temp.enqueue('PLAN', (select other from t));
select is((pg_temp.claim()).id, plan, 'the oldest PLAN is claimed') from j;
select is(pg_temp.waits(plan), null, 'and waits for nothing more') from j;
select tests.act_as_owner();
update public.provision_jobs set approved_at = now() where id = (select deploy from j);
select is(pg_temp.waits(deploy), 'vine', 'the approved DEPLOY waits for its vine') from j;
select is((pg_temp.claim()).id, aside, 'that of another vine does not') from j;
select is(pg_temp.finish(pg_temp.job(plan)), 'SUCCESS', 'when the vine is free') from j;
select is((pg_temp.claim()).id, deploy, 'the DEPLOY goes on') from j;
select is(pg_temp.finish(pg_temp.job(aside)), 'SUCCESS', 'beside the other') from j;
select tests.act_as((select owner from t));
select results_eq(
  $$ select job_type, priority, timeout_seconds from public.provision_jobs where id in (select plan from j union select deploy from j) order by 2 $$,
  $$ select job_type, priority, timeout_seconds from public.job_types where job_type in ('PLAN', 'DEPLOY') order by 2 $$,
  'a job has what its type says');

-- said twice
select is(pg_temp.finish(pg_temp.job(deploy)), 'SUCCESS', 'a job ends') from j;
select is((public.complete_job(deploy, 1, 'SUCCESS')).status::text, 'SUCCESS', 'the same end said again is answered in the same way') from j;
select throws_ok($$ select public.complete_job(deploy, 1, 'FAILED') from j $$, 'PT409', null, 'another is refused');
select tests.act_as((select owner from t));
select is((select count(*)::int from public.vine_audit_log where vine_id = (select vine from t) and action = 'PROVISIONED'), 1, 'and nothing happened twice');

-- deadlines
update j set plan = pg_temp.enqueue('PLAN');
select pg_temp.claim();
select pg_temp.age(plan, 299), pg_temp.beat(plan) from j;
select is((pg_temp.job(plan)).status::text, 'CLAIMED', 'a claimed job has five minutes to start') from j;
select pg_temp.age(plan, 2), pg_temp.beat(plan) from j;
select tests.act_as((select owner from t));
select is((pg_temp.job(plan)).status::text, 'QUEUED', 'then it goes back') from j;
select pg_temp.claim();
select public.start_job(plan, 2) from j;
select pg_temp.age(plan, 3600) from j;
select is(pg_temp.beat(plan) -> 'cancel_job_ids', '[]', 'a PLAN may run for an hour') from j;
select pg_temp.age(plan, 1) from j;
select is(pg_temp.beat(plan) -> 'cancel_job_ids', jsonb_build_array(plan), 'then its Tendril is told to stop it') from j;
select pg_temp.age(plan, 599), pg_temp.beat(plan) from j;
select is((pg_temp.job(plan)).status::text, 'PROCESSING', 'for which it has ten minutes') from j;
select pg_temp.age(plan, 2) from j;
select is(pg_temp.beat(plan) -> 'lost_job_ids', jsonb_build_array(plan), 'then it is ended by force') from j;
select tests.act_as((select owner from t));
select is((pg_temp.job(plan)).status::text, 'FAILED', 'as FAILED') from j;
select matches((pg_temp.job(plan)).error_message, '3600 seconds', 'and says why') from j;
update j set deploy = pg_temp.enqueue('DEPLOY');
select pg_temp.claim();
select public.start_job(deploy, 1) from j;
select tests.act_as((select owner from t));
select public.cancel_job(deploy) from j;
select is(pg_temp.beat(deploy) -> 'cancel_job_ids', jsonb_build_array(deploy), 'who cancels asks first') from j;
select pg_temp.age(deploy, 601), pg_temp.beat(deploy) from j;
select tests.act_as((select owner from t));
select is((select (pg_temp.job(deploy)).status || ' ' || v.status from public.vines as v where v.id = (select vine from t)), 'CANCELLED FAILED', 'and forces after a pause') from j;
select throws_ok($$ select public.complete_job(deploy, 1, 'SUCCESS') from j $$, 'PT409', null, 'what the Tendril says then is refused');

-- a Tendril that signs off
update j set plan = pg_temp.enqueue('PLAN');
select pg_temp.claim();
select public.heartbeat('1.0.0', 'OFFLINE');
select is(pg_temp.waits(plan), 'tendril', 'what it held goes back at once') from j;
select public.cancel_job(plan) from j;

-- grace, by mode
select tests.act_as_owner();
update t set cloud = tests.tendril(tests.sign_up('stranger'));
update public.workers set mode = 'cloud-hosted' where id = (select cloud from t);
create temporary table c on commit drop as select o.id as owner, tests.plant(o.id) as vine from (select tests.sign_up('lonely') as id) as o;
grant select on c to public;
select tests.act_as((select owner from c));
select public.enqueue_job((select vine from c), 'DEPLOY');
select tests.act_as((select cloud from t));
select is((select k.vine_id from generate_series(1, 1000) as n cross join lateral public.claim_next_job((select cloud from t)) as k where k.vine_id = (select vine from c) limit 1),
  (select vine from c), 'a cloud-hosted Tendril takes the jobs of an account that has none of its own');
select tests.act_as_owner();
update public.workers set last_heartbeat = now() - interval '290 s' where id = (select cloud from t);
update public.provision_jobs set claimed_at = now() - interval '280 s' where worker_id = (select cloud from t);
select private.sweep();
select is((select status::text from public.provision_jobs where vine_id = (select vine from c)), 'CLAIMED', 'its machine may take a while to start');
update public.workers set last_heartbeat = now() - interval '310 s' where id = (select cloud from t);
update public.provision_jobs set claimed_at = now() - interval '301 s' where worker_id = (select cloud from t);
select private.sweep();
select is((select status::text from public.provision_jobs where vine_id = (select vine from c)), 'QUEUED', 'five minutes');

-- jobs of no vine
insert into public.provision_jobs (account_id, user_id, job_type)
select a.id, t.owner, 'CONNECTION_TEST' from t join public.accounts as a on a.personal_user_id = t.owner, generate_series(1, 2);
select tests.act_as((select worker from t));
select public.heartbeat('1.0.0');
select is((pg_temp.claim()).job_type || (pg_temp.claim()).job_type, 'CONNECTION_TESTCONNECTION_TEST', 'jobs of no vine run beside each other');
select is((pg_temp.claim()).id, null, 'each once');

select * from finish();
rollback;
