-- Tendrils: who may make which, whom they serve, and that they go with their owner.
begin;
select plan(10);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('stranger') as stranger, tests.plant(o.id) as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add cloud uuid;
grant select on t to public;

select tests.act_as((select stranger from t));
select throws_ok($$ select public.register_tendril('t', 'cloud-hosted') $$, 'PT403', null, 'users do not make cloud-hosted Tendrils');
select throws_ok($$ select public.register_cloud_tendril('t', (select stranger from t)) $$, '42501', null, 'by no other name either');
select throws_ok($$ select public.register_tendril('') $$, 'PT400', null, 'a Tendril has a name');
select tests.act_as_role('service_role');
select matches(public.register_cloud_tendril('pool', (select stranger from t)) ->> 'token', '^vt_[0-9a-f-]{36}_[\w-]{32}$', 'who runs the project does');
select tests.act_as_owner();
update t set cloud = (select id from public.workers where user_id = (select stranger from t) and mode = 'cloud-hosted');

select ok((select y.account_id from public.vineyards as y join public.vines as v on v.vineyard_id = y.id where v.id = (select vine from t))
  in (select private.served_account_ids((select cloud from t))), 'it serves an account that has no Tendril');
update t set worker = tests.tendril(owner);
select ok((select y.account_id from public.vineyards as y join public.vines as v on v.vineyard_id = y.id where v.id = (select vine from t))
  not in (select private.served_account_ids((select cloud from t))), 'and not one that has');
select set_eq(format('select private.served_account_ids(%L)', worker), format('select id from public.accounts where personal_user_id = %L', owner),
  'a self-hosted one serves its owner''s account') from t;
select tests.join_account((select stranger from t), (select owner from t), 'operator');
select is((select count(*)::int from private.served_account_ids((select worker from t))), 1, 'but not one where its owner is only an operator');

select tests.act_as((select worker from t));
select throws_ok($$ select public.register_tendril('child') $$, 'PT403', null, 'a Tendril makes no other');
select tests.act_as_owner();
delete from auth.users where id = (select owner from t);
set constraints all immediate;
select is((select count(*)::int from auth.users where id in ((select owner from t), (select worker from t))), 0, 'a Tendril goes with its owner');

select * from finish();
rollback;
