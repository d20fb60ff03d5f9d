-- What a job's course does to its vine and to each component.
begin;
select plan(31);

create temporary table t on commit drop as select tests.sign_up('owner') as owner;
alter table t add vine uuid, add tendril uuid;
update t set vine = tests.plant(owner, p_more => '{"network": {}, "databases": [{"name": "main"}, {"name": "other"}]}'), tendril = tests.tendril(owner);
grant select on t to public;

-- queues a job and lets it come as far as its last argument says
create function pg_temp.run(p_job_type text, p_until text, p_outputs jsonb default null)
returns void
language plpgsql
as $$
declare
  v_job public.provision_jobs;
begin
  perform tests.act_as((select owner from t));
  v_job := public.enqueue_job((select vine from t), p_job_type);
  if p_until = 'QUEUED' then
    return;
  end if;
  perform tests.act_as((select tendril from t));
  v_job := public.claim_next_job((select tendril from t));
  if p_until <> 'CLAIMED' then
    v_job := public.start_job(v_job.id, v_job.attempt);
    if p_until <> 'PROCESSING' then
      perform public.complete_job(v_job.id, v_job.attempt, p_until::public.provision_job_status, p_outputs => p_outputs);
    end if;
  end if;
  perform tests.act_as_owner();
end;
$$;
create function pg_temp.finish(p_status public.provision_job_status)
returns void
language plpgsql
as $$
begin
  perform tests.act_as((select tendril from t));
  perform public.complete_job(j.id, j.attempt, p_status) from public.provision_jobs as j where j.status = 'PROCESSING' and j.vine_id = (select vine from t);
  perform tests.act_as_owner();
end;
$$;
create function pg_temp.cancel()
returns void
language plpgsql
as $$
begin
  perform tests.act_as((select owner from t));
  perform public.cancel_job(j.id) from public.provision_jobs as j where j.status in ('QUEUED', 'CLAIMED') and j.vine_id = (select vine from t);
  perform tests.act_as_owner();
end;
$$;
create function pg_temp.stands() returns text language sql as $$
  select v.status || ': network ' || n.status || (
    select string_agg(format(', %s %s', d.name, d.status), '' order by d.name) from public.vine_databases as d where d.vine_id = v.id)
  from public.vines as v join public.vine_network as n on n.vine_id = v.id where v.id = (select vine from t) $$;

select is(pg_temp.stands(), 'DRAFT: network PENDING, main PENDING, other PENDING', 'as planted');
select pg_temp.run('DEPLOY', 'QUEUED');
select tests.act_as_owner();
select is(pg_temp.stands(), 'QUEUED: network PENDING, main PENDING, other PENDING', 'a DEPLOY is queued');
select pg_temp.cancel();
select is(pg_temp.stands(), 'DRAFT: network PENDING, main PENDING, other PENDING', 'cancelled in the queue, it gives the vine back as it was');
select pg_temp.run('DEPLOY', 'CLAIMED');
select pg_temp.cancel();
select is(pg_temp.stands(), 'DRAFT: network PENDING, main PENDING, other PENDING', 'claimed, too');
select pg_temp.run('PLAN', 'SUCCESS');
select is(pg_temp.stands(), 'DRAFT: network PENDING, main PENDING, other PENDING', 'a PLAN moves nothing');

select pg_temp.run('DEPLOY', 'PROCESSING');
select is(pg_temp.stands(), 'PROVISIONING: network CREATING, main CREATING, other CREATING', 'a DEPLOY runs');
select pg_temp.finish('FAILED');
select is(pg_temp.stands(), 'FAILED: network FAILED, main FAILED, other FAILED', 'it fails');
select pg_temp.run('DEPLOY', 'CLAIMED');
select pg_temp.cancel();
select is(pg_temp.stands(), 'FAILED: network FAILED, main FAILED, other FAILED', 'a retry that is cancelled gives back FAILED');
select pg_temp.run('DEPLOY', 'PROCESSING');
select is(pg_temp.stands(), 'PROVISIONING: network CREATING, main CREATING, other CREATING', 'what never was ACTIVE is created by a retry');

-- changed while the DEPLOY runs: for the next one
update public.vine_databases set port = 1 where name = 'main' and vine_id = (select vine from t);
insert into public.vine_databases (vine_id, name) select vine, 'new' from t;
select pg_temp.finish('SUCCESS');
select is(pg_temp.stands(), 'ACTIVE: network ACTIVE, main ACTIVE, new PENDING, other ACTIVE', 'it succeeds; what came while it ran waits');
select pg_temp.run('DEPLOY', 'PROCESSING');
select is(pg_temp.stands(), 'PROVISIONING: network ACTIVE, main UPDATING, new CREATING, other ACTIVE', 'for the next, which changes what differs from what was deployed');
select pg_temp.finish('FAILED');
select is(pg_temp.stands(), 'FAILED: network ACTIVE, main FAILED, new FAILED, other ACTIVE', 'which fails: what it left alone stands');
select pg_temp.run('DEPLOY', 'PROCESSING');
select is(pg_temp.stands(), 'PROVISIONING: network ACTIVE, main UPDATING, new CREATING, other ACTIVE', 'a retry updates what had been ACTIVE, and creates what had not');
select pg_temp.finish('CANCELLED');
select is(pg_temp.stands(), 'FAILED: network ACTIVE, main FAILED, new FAILED, other ACTIVE', 'cancelled half-way, it has failed');
select pg_temp.run('DEPLOY', 'SUCCESS', '{"databases": {"main": {"endpoint": "here"}, "gone": {"endpoint": "there"}}}');
select is(pg_temp.stands(), 'ACTIVE: network ACTIVE, main ACTIVE, new ACTIVE, other ACTIVE', 'and again');
select is((select endpoint from public.vine_databases where name = 'main' and vine_id = (select vine from t)), 'here', 'outputs are filled in');
select pg_temp.run('DEPLOY', 'PROCESSING');
select is(pg_temp.stands(), 'PROVISIONING: network ACTIVE, main ACTIVE, new ACTIVE, other ACTIVE', 'nothing differs: nothing is updated');

-- removed while it is ACTIVE: the row goes at once, what it stands for with the next DEPLOY
delete from public.vine_databases where name = 'other' and vine_id = (select vine from t);
select pg_temp.finish('SUCCESS');
select pg_temp.run('DEPLOY', 'SUCCESS');
select is(pg_temp.stands(), 'ACTIVE: network ACTIVE, main ACTIVE, new ACTIVE', 'a component that was removed holds up nothing');

select pg_temp.run('DESTROY', 'QUEUED');
select tests.act_as_owner();
select is(pg_temp.stands(), 'ACTIVE: network ACTIVE, main ACTIVE, new ACTIVE', 'a DESTROY that waits moves nothing');
select pg_temp.cancel();
select pg_temp.run('DESTROY', 'PROCESSING');
select is(pg_temp.stands(), 'DESTROYING: network DESTROYING, main DESTROYING, new DESTROYING', 'a DESTROY runs');
insert into public.vine_databases (vine_id, name) select vine, 'other' from t;
select pg_temp.finish('FAILED');
select is(pg_temp.stands(), 'FAILED: network FAILED, main FAILED, new FAILED, other PENDING', 'it fails');
select pg_temp.run('DEPLOY', 'PROCESSING');
select is(pg_temp.stands(), 'PROVISIONING: network UPDATING, main UPDATING, new UPDATING, other CREATING', 'after which a DEPLOY mends it');
select pg_temp.finish('SUCCESS');
insert into public.vine_databases (vine_id, name) select vine, 'late' from t;
select pg_temp.run('PLAN', 'QUEUED');
select pg_temp.run('DESTROY', 'SUCCESS');
select is(pg_temp.stands(), 'DESTROYED: network DESTROYED, late PENDING, main DESTROYED, new DESTROYED, other DESTROYED', 'destroyed; what never was is PENDING for good');
select is((select count(endpoint)::int from public.vine_databases where vine_id = (select vine from t)), 0, 'and outputs are no more');
select is_empty($$ select from private.deployed_configs where vine_id = (select vine from t) $$, 'nothing is deployed');
select tests.act_as((select tendril from t));
select is((select job_type from public.claim_next_job((select tendril from t))), 'PLAN', 'a PLAN that waited meanwhile is claimed');
select is(tests.outcome((select tendril from t), $$ select public.start_job(id, attempt) from public.provision_jobs where status = 'CLAIMED' $$), 'vine_destroyed', 'and does not start');
select tests.act_as((select owner from t));
select throws_ok($$ select public.enqueue_job(vine, j) from t, unnest('{PLAN,DEPLOY,DESTROY}'::text[]) as j $$, 'PT409', null, 'and nothing runs any more');

--------------------------------------------------------------------------------------------------
-- What a Tendril fills in
--------------------------------------------------------------------------------------------------

select tests.act_as_owner();
update t set vine = tests.plant(owner, p_more => '{"network": {"provision_network": false, "network_id": "vpc-mine"}, "databases": [{"name": "main"}]}');
select pg_temp.run('DEPLOY', 'SUCCESS', '{"network": {"network_id": "vpc-other"}, "databases": {"main": {"endpoint": "e", "port": "1"}}}');
select is((select network_id || ' ' || endpoint || ' ' || port from public.vine_network join public.vine_databases using (vine_id) where vine_id = (select vine from t)),
  'vpc-mine e 5432', 'is what is populated after provisioning, and nothing that a client has set');
select pg_temp.run('DESTROY', 'SUCCESS');
select is((select network_id from public.vine_network where vine_id = (select vine from t)), 'vpc-mine', 'a network that stood before stays');
select tests.act_as_owner();
update t set vine = tests.plant(owner, p_more => '{"network": {}}');
select pg_temp.run('DEPLOY', 'SUCCESS', '{"network": {"network_id": "vpc-made"}}');
select pg_temp.run('DESTROY', 'SUCCESS');
select is((select network_id from public.vine_network where vine_id = (select vine from t)), null, 'one that was made is no more');

select * from finish();
rollback;
