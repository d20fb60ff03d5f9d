-- plant_vine: all of it or nothing, and one clear sentence for what is wrong.
begin;
select plan(10);

create temporary table t on commit drop as select tests.sign_up('owner') as owner;
grant select on t to public;
select tests.act_as((select owner from t));
insert into public.vineyards (name) values ('main');
create function pg_temp.plant(p_more jsonb) returns public.vines language sql as $$
  select * from public.plant_vine(jsonb_build_object('vineyard_id', (select id from public.vineyards where name = 'main'),
    'project_name', 'shop', 'region', 'eu-west-1') || p_more) $$;

select is((pg_temp.plant('{"network": {"cidr_block": "10.1.0.0/16"}, "cluster": null, "databases": [{"name": "a", "port": 1}, {"name": "b"}]}')).status::text, 'DRAFT', 'a planted vine is a DRAFT');
select results_eq('select name, port from public.vine_databases order by name', $$ values ('a', 1), ('b', 5432) $$, 'with its components and their defaults');
select is((select count(*)::int from public.vine_cluster), 0, 'null stands for none');
select throws_like($$ select pg_temp.plant('{"databases": [{"name": "a", "portt": 1}]}') $$, 'database: there is no portt%', 'an unknown column');
select throws_like($$ select pg_temp.plant('{"databases": [{"name": "a", "status": "ACTIVE"}]}') $$, 'database: there is no status%', 'a column that is the system''s');
select throws_like($$ select pg_temp.plant('{"datbases": []}') $$, 'A manifest has no datbases%', 'an unknown kind');
select throws_like($$ select pg_temp.plant('{"databases": {}}') $$, 'databases: a list is wanted%', 'a list is a list');
select throws_ok($$ select pg_temp.plant('{"databases": [{"name": "a"}, {"name": "a"}]}') $$, '23505', null, 'two of one name');
select throws_ok($$ select pg_temp.plant('{"vineyard_id": "00000000-0000-0000-0000-000000000000"}') $$, '42501', null, 'a vineyard that is not there');
select is((select count(*)::int from public.vines), 1, 'nothing of the refused ones is left');

select * from finish();
rollback;
