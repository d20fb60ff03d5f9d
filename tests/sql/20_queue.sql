-- The main walk: DRAFT to DESTROYED by way of the queue, and what refuses on the way.
begin;
select plan(42);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('stranger') as stranger, tests.plant(o.id, p_more => '{
  "network": {}, "cluster": {"cluster_version": "1.32"}, "dns": {"domain_name": "example.com"}, "repositories": {},
  "databases": [{"name": "main"}, {"name": "reports", "engine": "aurora-mysql"}],
  "caches": [{"name": "sessions"}], "queues": [{"name": "orders"}], "topics": [{"name": "events"}],
  "nosql_tables": [{"name": "carts", "hash_key": "id"}], "container_registries": [{"name": "api"}],
  "secrets": [{"name": "jwt"}]}') as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add second uuid;
update t set worker = tests.tendril(owner), second = tests.tendril(owner);
grant select on t to public;

create function pg_temp.enqueue(p_type text, p_key text default null, p_confirm text default null)
returns public.provision_jobs language sql as $$ select * from public.enqueue_job((select vine from t), p_type, p_key, p_confirm) $$;
create function pg_temp.vine_status() returns text language sql as $$ select status::text from public.vines where id = (select vine from t) $$;
create function pg_temp.newest() returns public.provision_jobs language sql as $$
  select * from public.provision_jobs where vine_id = (select vine from t) order by created_at desc limit 1 $$;

-- enqueue
select tests.act_as((select stranger from t));
select throws_ok($$ select pg_temp.enqueue('PLAN') $$, 'PT404', null, 'a stranger''s vine is not there');
select tests.act_as((select owner from t));
select throws_ok($$ select pg_temp.enqueue('DESTROY') $$, 'PT409', null, 'a DRAFT has nothing to destroy');
select throws_ok($$ select pg_temp.enqueue('BREW') $$, 'PT400', null, 'an unknown job type is refused');
select is((pg_temp.enqueue('PLAN', 'k1')).status::text, 'QUEUED', 'a PLAN is queued');
select is((pg_temp.enqueue('PLAN', 'k1')).id, (pg_temp.newest()).id, 'the same key gives the same job');
select throws_ok($$ select pg_temp.enqueue('DEPLOY', 'k1') $$, 'PT409', null, 'a key is not used twice');
select is(pg_temp.vine_status(), 'DRAFT', 'a PLAN leaves the vine');

-- claim
select throws_ok($$ select public.claim_next_job((select owner from t)) $$, 'PT403', null, 'people do not claim');
select tests.act_as((select second from t));
select throws_ok($$ select public.claim_next_job((select worker from t)) $$, 'PT403', null, 'nor one Tendril for another');
select tests.act_as((select worker from t));
select is((public.claim_next_job((select worker from t))).job_type, 'PLAN', 'the Tendril claims it');
select is((pg_temp.newest()).status::text, 'CLAIMED', 'and it is CLAIMED');
select is((select c.id from public.claim_next_job((select worker from t)) as c), null, 'nothing is left to claim');
select is((public.start_job((pg_temp.newest()).id, 1)).status::text, 'PROCESSING', 'it starts');
select is(public.append_job_logs((pg_temp.newest()).id, 1, '[{"seq": 1, "log_chunk": "a", "stream_type": "STDOUT"}]'), 2, 'logs arrive');
select is(public.append_job_logs((pg_temp.newest()).id, 1,
  '[{"seq": 1, "log_chunk": "a", "stream_type": "STDOUT"}, {"seq": 2, "log_chunk": "b", "stream_type": "STDERR"}]'), 3, 'a repeated chunk is passed over');
select throws_ok($$ select public.append_job_logs((pg_temp.newest()).id, 2, '[]') $$, 'PT409', null, 'the fence holds');
select is(public.get_job_context((pg_temp.newest()).id, 1) -> 'components' -> 'databases' -> 1 ->> 'engine', 'aurora-mysql', 'the context describes components');
select throws_ok(format('select public.complete_job(%L, 1, %L, p_outputs => %L, p_execution_metadata => %L)', (pg_temp.newest()).id, 'SUCCESS', o, m), 'PT400', null,
  'outputs and metadata are objects') from (values ('[1]', null), (null, '"x"')) as v (o, m);
select is((public.complete_job((pg_temp.newest()).id, 1, 'SUCCESS')).status::text, 'SUCCESS', 'it ends');
select throws_ok($$ select public.complete_job((pg_temp.newest()).id, 1, 'FAILED') $$, 'PT409', null, 'once');
select throws_ok($$ select public.append_job_logs((pg_temp.newest()).id, 1, '[]') $$, 'PT409', null, 'and no log comes after');

-- deploy
select tests.act_as((select owner from t));
select is((select count(*)::int from public.provision_job_logs where job_id = (pg_temp.newest()).id), 2, 'the owner reads the log');
select lives_ok($$ select pg_temp.enqueue('DEPLOY') $$, 'a DEPLOY is queued');
select is(pg_temp.vine_status(), 'QUEUED', 'and the vine with it');
select throws_ok($$ select pg_temp.enqueue('DEPLOY') $$, 'PT409', null, 'a busy vine takes no second one');
select is((public.cancel_job((pg_temp.newest()).id)).status::text, 'CANCELLED', 'cancelled in the queue');
select is(pg_temp.vine_status(), 'DRAFT', 'it gives the vine back as it was');
select lives_ok($$ select pg_temp.enqueue('DEPLOY') $$, 'queued again');
select tests.act_as((select worker from t));
select public.claim_next_job((select worker from t));
select public.start_job((pg_temp.newest()).id, 1);
select tests.act_as((select owner from t));
select is(pg_temp.vine_status() || ' ' || (select status from public.vine_databases where name = 'main' and vine_id = (select vine from t)), 'PROVISIONING CREATING', 'running');
select tests.act_as((select worker from t));
select public.complete_job((pg_temp.newest()).id, 1, 'SUCCESS', p_outputs => '{
  "network": {"network_id": "net-1"}, "cluster": {"cluster_name": "c", "cluster_endpoint": "https://c"},
  "databases": {"main": {"endpoint": "main.db", "status": "FAILED"}}, "caches": {"sessions": {"endpoint": "s.cache"}},
  "container_registries": {"api": {"repository_url": "r/api"}}}');
select tests.act_as((select owner from t));
select is(pg_temp.vine_status(), 'ACTIVE', 'the vine is ACTIVE');
select results_eq($$
  select n.network_id, c.cluster_name, c.cluster_endpoint, d.endpoint, d.status::text, k.endpoint, r.repository_url
  from public.vine_network n join public.vine_cluster c using (vine_id) join public.vine_databases d using (vine_id)
  join public.vine_caches k using (vine_id) join public.vine_container_registries r using (vine_id)
  where vine_id = (select vine from t) and d.name = 'main'
$$, $$ values ('net-1', 'c', 'https://c', 'main.db', 'ACTIVE', 's.cache', 'r/api') $$, 'outputs fill their columns, and no others');
select tests.act_as_owner();
select is((select count(*)::int from public.vine_audit_log where vine_id = (select vine from t) and changes ?| '{cluster_name,cluster_endpoint}'), 1,
  'one entry tells of a component''s outputs');
select is(private.describe_components((select vine from t)) -> 'network' ->> 'network_id', null, 'an output is no input of the next plan');
select tests.act_as((select owner from t));
select throws_ok($$ delete from public.vines where id = (select vine from t) $$, 'PT409', null, 'what exists is not deleted');
select throws_ok($$ update public.vines set region = 'x' where id = (select vine from t) $$, 'PT409', null, 'nor moved');
select throws_ok($$ update public.vines set status = 'DRAFT' where id = (select vine from t) $$, '42501', null, 'clients do not write status');

-- a Tendril lost in the middle of a DESTROY
select lives_ok($$ select pg_temp.enqueue('DESTROY') $$, 'a DESTROY is queued');
select tests.act_as((select worker from t));
select public.claim_next_job((select worker from t));
select public.start_job((pg_temp.newest()).id, 1);
select tests.act_as_owner();
update public.workers set last_heartbeat = now() - interval '61 s' where id = (select worker from t);
update public.provision_jobs set claimed_at = now() - interval '61 s' where id = (pg_temp.newest()).id;
select tests.act_as((select second from t));
select public.heartbeat('0.1.0');
select tests.act_as((select owner from t));
select is((pg_temp.newest()).status || ' ' || pg_temp.vine_status(), 'FAILED FAILED', 'a lost DESTROY fails, and its vine');
select tests.act_as((select worker from t));
select throws_ok($$ select public.complete_job((select id from public.provision_jobs where worker_id = (select worker from t) order by created_at desc limit 1), 1, 'SUCCESS') $$, 'PT409', null, 'what the lost one says later is refused');
select tests.act_as((select owner from t));
select pg_temp.enqueue('DESTROY');
select tests.act_as((select second from t));
select public.claim_next_job((select second from t));
select public.start_job((pg_temp.newest()).id, 1);
select public.complete_job((pg_temp.newest()).id, 1, 'SUCCESS');
select tests.act_as((select owner from t));
select is(pg_temp.vine_status(), 'DESTROYED', 'a second Tendril goes on');
select throws_ok($$ select pg_temp.enqueue('DEPLOY') $$, 'PT409', null, 'a destroyed vine is not harvested');

select * from finish();
rollback;
