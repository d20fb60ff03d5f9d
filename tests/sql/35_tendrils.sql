-- Tendrils: who may make which, whom they serve, and that they go with their owner.
begin;
select plan(13);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('stranger') as stranger, tests.plant(o.id) as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add cloud uuid, add theirs uuid;
update t set theirs = tests.plant(stranger);
grant select on t to public;

select tests.act_as((select stranger from t));
select throws_ok($$ select public.register_tendril('t', 'cloud-hosted') $$, 'PT403', null, 'users do not make cloud-hosted Tendrils');
select throws_ok($$ select public.register_cloud_tendril('t', (select stranger from t)) $$, '42501', null, 'by no other name either');
select throws_ok($$ select public.register_tendril('') $$, 'PT400', null, 'a Tendril has a name');
select tests.act_as_role('service_role');
select matches(public.register_cloud_tendril('pool', (select stranger from t)) ->> 'token', '^vt_[0-9a-f-]{36}_[\w-]{32}$', 'who runs the project does');
select tests.act_as_owner();
update t set cloud = (select id from public.workers where user_id = (select stranger from t) and mode = 'cloud-hosted');

create function pg_temp.served() returns boolean language sql as $$
  select not private.has_own_tendril(a.id) from public.accounts as a join t on t.owner = a.personal_user_id $$;
select is(pg_temp.served(), true, 'it serves an account that has no Tendril');
update t set worker = tests.tendril(owner);
select is(pg_temp.served(), false, 'and not one that has');
select tests.join_account((select stranger from t), (select owner from t), 'operator');
select tests.act_as((select stranger from t));
select lives_ok($$ select public.enqueue_job(theirs, 'PLAN') from t $$, 'a job of an account where a self-hosted one''s owner is only an operator');
select tests.act_as((select owner from t));
select lives_ok($$ select public.enqueue_job(vine, 'PLAN') from t $$, 'and one where they are the owner');
select tests.act_as((select worker from t));
select is((select j.vine_id from public.claim_next_job((select worker from t)) as j), (select vine from t), 'it claims the second');
select is((select j.id from public.claim_next_job((select worker from t)) as j), null, 'and never the first');
select tests.act_as((select worker from t));
select throws_ok($$ select public.register_tendril('child') $$, 'PT403', null, 'a Tendril makes no other');
select tests.act_as_owner();
update public.provision_jobs set worker_id = cloud from t where vine_id = vine;
delete from auth.users where id = (select stranger from t);
select is((select j.status || ' ' || coalesce(j.worker_id::text, 'of nobody') from public.provision_jobs as j join t on t.vine = j.vine_id), 'QUEUED of nobody',
  'what a cloud-hosted one runs goes on without it when it goes');
delete from auth.users where id = (select owner from t);
set constraints all immediate;
select is((select count(*)::int from auth.users where id in ((select owner from t), (select worker from t))), 0, 'a Tendril goes with its owner');

select * from finish();
rollback;
