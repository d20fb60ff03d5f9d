-- Terraform state: the lock, lineage and serial, versions, and what admins do to it.
begin;
select plan(48);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('operator') as operator, tests.sign_up('stranger') as stranger, tests.plant(o.id) as vine, tests.plant(o.id) as draft
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add job uuid;
select tests.join_account(owner, operator, 'operator') from t;
update t set worker = tests.tendril(owner);
grant select, update on t to public;

create function pg_temp.say(p_who text, p_sql text) returns text language sql as $$
  select tests.outcome((select (to_jsonb(t) ->> p_who)::uuid from t), p_sql) $$;
create function pg_temp.state(p_serial integer, p_lineage text default 'a', p_content text default '') returns text language sql as $$
  select format('{"version": 4, "serial": %s, "lineage": "%s", "outputs": {"x": {"value": "secret\u0000%s", "serial": 7}}}', p_serial, p_lineage, p_content) $$;
-- the job's next step: claimed and started by the Tendril
create function pg_temp.run(p_type text) returns void language plpgsql as $$
begin
  perform tests.act_as((select owner from t));
  update t set job = (public.enqueue_job(vine, p_type)).id;
  perform tests.act_as((select worker from t));
  perform public.claim_next_job((select worker from t));
  perform public.start_job((select job from t), 1);
  perform tests.act_as_owner();
end $$;
create function pg_temp.put(p_state text, p_lock text default 'l') returns text language sql as $$
  select pg_temp.say('worker', format('select public.put_terraform_state(job, 1, %L, %L) from t', p_state, p_lock)) $$;
create function pg_temp.serials() returns bigint[] language sql as $$
  select array_agg(serial order by serial) from private.terraform_state_versions where vine_id = (select vine from t) $$;

--------------------------------------------------------------------------------------------------
-- The job that runs
--------------------------------------------------------------------------------------------------

select pg_temp.run('DEPLOY');
select is(pg_temp.say('worker', 'select public.get_terraform_state(job, 1) from t'), null, 'at first there is none');
select is(pg_temp.put(pg_temp.state(1)), 'state_conflict', 'nothing is stored without the lock');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '[]') from t $$), 'invalid_input', 'which is an object');
update public.provision_jobs set status = 'QUEUED' where id = (select job from t);
update public.provision_jobs set status = 'CLAIMED' where id = (select job from t);
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '{"ID": "l"}') from t $$), 'invalid_input', 'and not for a job that has yet to start');
update public.provision_jobs set status = 'PROCESSING' where id = (select job from t);
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '{"ID": "l"}') from t $$), null, 'the job takes it');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '{"ID": "m"}') ->> 'ID' from t $$), 'l', 'a second one is told who has it');
select is(pg_temp.put(pg_temp.state(1), 'm'), 'state_conflict', 'and stores nothing');
select is(pg_temp.put('not json "secret"'), 'invalid_input', 'a state is JSON');
select is(pg_temp.put('{"serial": 1}'), 'invalid_input', 'with a lineage');
select is(pg_temp.put('{"serial": "many", "lineage": "a"}'), 'invalid_input', 'and a serial');
select is(pg_temp.put('{"serial": 9223372036854775807, "lineage": "a"}'), 'state_conflict', 'which leaves room for the next');
select is(pg_temp.put('{"serial": -1, "lineage": "a"}'), 'state_conflict', 'and counts up');
select is(pg_temp.put(pg_temp.state(1, repeat('a', 201))), 'too_large', 'a lineage is short');
select is(pg_temp.put(pg_temp.state(1)), null, 'with the lock it is stored');
select is(pg_temp.say('worker', 'select public.get_terraform_state(job, 1) from t'), pg_temp.state(1), 'and comes back as it was');
select is(pg_temp.put(pg_temp.state(1)), null, 'the same once more is harmless');
select is(pg_temp.put(pg_temp.state(1, 'a', 'other')), 'state_conflict', 'its serial stands for one content');
select is(pg_temp.put(pg_temp.state(2, 'b')), 'state_conflict', 'another lineage is another state');
select is(pg_temp.put(pg_temp.state(3)), null, 'a newer serial replaces it');
select is(pg_temp.put(pg_temp.state(2)), 'state_conflict', 'an older one does not');
select is(pg_temp.serials(), '{3}', 'a job keeps its last version alone');
select is(pg_temp.put(format('{"serial": 4, "lineage": "a", "x": "%s"}', repeat('x', 32 * 1024 * 1024))), 'too_large', 'there is a limit');
select is_empty($$ select from private.terraform_state_versions as v where vine_id = (select vine from t) and to_jsonb(v)::text like '%secret%' $$, 'nothing is stored in clear');
select is(pg_temp.say('worker', $$ select public.unlock_terraform_state(job, 1, 'l') from t $$), null, 'the lock is given back');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 2, '{}') from t $$), 'lease_lost', 'the fence holds');

--------------------------------------------------------------------------------------------------
-- What a Tendril could not save
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('owner', $$ select public.push_terraform_state(vine, pg_temp.state(5)) from t $$), 'vine_busy', 'nobody writes beside a job');
select is(pg_temp.say('owner', $$ select public.restore_terraform_state(vine, 3) from t $$), 'vine_busy', 'or takes an old one up');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'FAILED')).status from t $$), 'FAILED', 'the job ends');
select is(pg_temp.say('stranger', $$ select public.push_terraform_state(vine, pg_temp.state(5)) from t $$), 'not_found', 'a stranger has nothing to put back');
select is(pg_temp.say('operator', $$ select public.push_terraform_state(vine, pg_temp.state(5)) from t $$), 'not_allowed', 'nor an operator');
select is(pg_temp.say('owner', $$ select public.push_terraform_state(vine, pg_temp.state(5, 'b')) from t $$), 'state_conflict', 'the lineage counts');
select is(pg_temp.say('owner', $$ select public.push_terraform_state(vine, pg_temp.state(2)) from t $$), 'state_conflict', 'and the serial');
select is(pg_temp.say('owner', $$ select public.push_terraform_state(vine, pg_temp.state(5)) from t $$), '5', 'an admin puts it back');
select is(pg_temp.serials(), '{3,5}', 'as a version of its own');
select is((select user_id from public.vine_audit_log where vine_id = (select vine from t) and component_type = 'terraform_state'), (select owner from t), 'the log says who');
select is(pg_temp.say('owner', $$ select public.push_terraform_state(draft, pg_temp.state(1)) from t $$), 'invalid_input', 'a DRAFT has no state');

--------------------------------------------------------------------------------------------------
-- Versions
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('stranger', 'select count(*) from public.terraform_state_versions((select vine from t))'), '0', 'a stranger sees no version');
select results_eq($$ select serial, lineage, job_id, user_id, size from public.terraform_state_versions((select vine from t)) $$,
  $$ select 0::bigint, ''::text, null::uuid, null::uuid, 0 where false $$, 'nor who is nobody');
select is(pg_temp.say('operator', 'select string_agg(concat_ws('' '', serial, job_id = (select job from t), user_id = (select owner from t), length(sha256)), '', '') from public.terraform_state_versions((select vine from t))'),
  '5 t 64, 3 t 64', 'a member sees who stored which');
select is(pg_temp.say('operator', 'select public.restore_terraform_state(vine, 3) from t'), 'not_allowed', 'an operator takes none up');
select is(pg_temp.say('owner', 'select public.restore_terraform_state(vine, 4) from t'), 'not_found', 'there is no such version');
select is(pg_temp.say('owner', 'select public.restore_terraform_state(vine, 3) from t'), '6', 'an older one becomes the newest');
select pg_temp.run('PLAN');
select is(pg_temp.say('worker', 'select public.get_terraform_state(job, 1) from t'),
  replace(pg_temp.state(3), '"serial": 3', '"serial": 6'), 'with its content and the next serial');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, '{"ID": "l"}') from t $$), null, 'which a PLAN may lock');
select is(pg_temp.put(pg_temp.state(7)), 'invalid_input', 'but not write');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'SUCCESS')).status from t $$), 'SUCCESS', 'read by the next job');

select count(public.push_terraform_state(vine, pg_temp.state(100 + n))) from (select tests.act_as(owner) from t) as a, t, generate_series(1, 20) as n;
select tests.act_as_owner();
select is(pg_temp.serials(), array(select generate_series(101, 120)::bigint), 'the last 20 are kept');
delete from public.provision_jobs where id = (select job from t);
update public.vines set status = 'DESTROYING' where id = (select vine from t);
update public.vines set status = 'DESTROYED' where id = (select vine from t);
select is(pg_temp.say('owner', $$ select public.push_terraform_state(vine, pg_temp.state(200)) from t $$), 'vine_destroyed', 'what is destroyed stays so');

select * from finish();
rollback;
