-- plant_vine: all of it or nothing, and one clear sentence, which names the place, for what is wrong.
begin;
select plan(48);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('viewer') as viewer, tests.sign_up('stranger') as stranger
from (select tests.sign_up('owner') as id) as o;
grant select on t to public;
select tests.join_account(owner, viewer, 'viewer') from t;
alter table t add vineyard uuid;
select tests.act_as((select owner from t));
insert into public.vineyards (name) values ('main');
select tests.act_as_owner();
update t set vineyard = y.id from public.vineyards as y where y.user_id = t.owner;
create function pg_temp.plant(p_more jsonb) returns public.vines language sql as $$
  select * from public.plant_vine(jsonb_build_object('vineyard_id', (select vineyard from t),
    'project_name', 'shop', 'region', 'eu-west-1') || p_more) $$;
select tests.act_as((select owner from t));

select is((pg_temp.plant('{"network": {"cidr_block": "10.1.0.0/16"}, "cluster": null, "databases": [{"name": "a", "port": 1}, {"name": "b", "port": null}]}')).status::text, 'DRAFT', 'a planted vine is a DRAFT');
select results_eq('select name, port from public.vine_databases order by name', $$ values ('a', 1), ('b', 5432) $$, 'with its components and their defaults, null standing for left out');
select is((select count(*)::int from public.vine_cluster), 0, 'null stands for none');

-- [what is given, the sentence that answers it]
create function pg_temp.refused_with(p_more jsonb, p_sentence text)
returns setof text
language plpgsql
as $$
declare
  v_detail text;
begin
  perform pg_temp.plant('{"project_name": "other"}' || p_more);
  return next fail('it is planted: ' || p_more::text);
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return next is(v_detail || '|' || sqlerrm, 'invalid_input|' || p_sentence, left(p_more::text, 80));
end;
$$;
select r.* from (values
  ('{"datbases": []}', 'datbases: there is no such key; there are vineyard_id, cloud_identity_id, project_name, environment_stage, region, terraform_version, caches, cluster, container_registries, databases, dns, network, nosql_tables, queues, repositories, secrets, topics.'),
  ('{"project_name": null}', 'project_name: this key is needed.'),
  ('{"project_name": "Not Good"}', 'Not Good/development: project_name must be 2 to 40 lower-case letters, digits and hyphens, from a letter on, and not end in a hyphen.'),
  ('{"project_name": 5}', 'project_name: a text, in quotation marks, is wanted, not 5.'),
  ('{"region": ""}', 'other/development: region must not be empty.'),
  ('{"environment_stage": "prod"}', 'environment_stage: one of development, staging, production is wanted, not "prod".'),
  ('{"environment_stage": ["staging"]}', 'environment_stage: one of development, staging, production is wanted, not ["staging"].'),
  ('{"terraform_version": "newest"}', 'other/development: terraform_version must be a version such as 1.11.4.'),
  ('{"vineyard_id": "main"}', 'vineyard_id: an id is wanted, not "main".'),
  ('{"cloud_identity_id": 7}', 'cloud_identity_id: an id is wanted, not 7.'),
  ('{"network": []}', 'network: an object is wanted.'),
  ('{"network": {"cidr_block": "10.0.0.0/33"}}', 'network: cidr_block must be a network such as 10.0.0.0/16.'),
  ('{"network": {"cidr_block": "10.0.0.1/16"}}', 'network: cidr_block must be a network such as 10.0.0.0/16.'),
  ('{"network": {"allowed_cidr_blocks": ["10.0.0.0/8", "all"]}}', 'network: allowed_cidr_blocks must be networks such as 10.0.0.0/16.'),
  ('{"network": {"allowed_cidr_blocks": "10.0.0.0/8"}}', 'network.allowed_cidr_blocks: a list of texts is wanted, not "10.0.0.0/8".'),
  ('{"network": {"single_nat_gateway": "yes"}}', 'network.single_nat_gateway: true or false is wanted, not "yes".'),
  ('{"network": {"provision_network": false}}', 'network: network_id is needed where provision_network is false.'),
  ('{"cluster": {"cluster_version": 1.3}}', 'cluster.cluster_version: a text, in quotation marks, is wanted, not 1.3.'),
  ('{"cluster": {"instance_types": ["m5.large", null]}}', 'cluster.instance_types: a list of texts is wanted, not ["m5.large", null].'),
  ('{"cluster": {"cluster_admins": {}}}', 'cluster: cluster_admins must be a list.'),
  ('{"cluster": {"node_min_size": 9}}', 'cluster: node_desired_size must be between node_min_size and node_max_size.'),
  ('{"databases": {}}', 'databases: a list is wanted.'),
  ('{"databases": [5]}', 'databases[1]: an object is wanted.'),
  ('{"databases": [{"name": "a"}, {"port": 1}]}', 'databases[2].name: this key is needed.'),
  ('{"databases": [{"name": "a", "portt": 1}]}', 'databases.a.portt: there is no such key; there are name, engine, engine_version, min_capacity, max_capacity, port, backup_retention_days, iam_auth.'),
  ('{"secrets": [{"name": "a", "status": "ACTIVE"}]}', 'secrets.a.status: there is no such key; there are name, generate, length, special_chars.'),
  ('{"databases": [{"name": "a"}, {"name": "a"}]}', 'databases.a: this name stands more than once.'),
  ('{"databases": [{"name": "A b"}]}', 'databases.A b: name must be 1 to 63 lower-case letters, digits, - and _, from a letter on.'),
  ('{"databases": [{"name": "a", "port": "5432"}]}', 'databases.a.port: a number is wanted, not "5432".'),
  ('{"databases": [{"name": "a", "port": 5432.5}]}', 'databases.a.port: a whole number below 2147483648 is wanted, not 5432.5.'),
  ('{"databases": [{"name": "a", "port": 1e30}]}', 'databases.a.port: a whole number below 2147483648 is wanted, not 1000000000000000000000000000000.'),
  ('{"databases": [{"name": "a", "port": 0}]}', 'databases.a: port must be 1 to 65535.'),
  ('{"caches": [{"name": "a", "engine": "memcached"}]}', 'caches.a.engine: one of redis, valkey is wanted, not "memcached".'),
  ('{"nosql_tables": [{"name": "a"}]}', 'nosql_tables.a.hash_key: this key is needed.')
) as w (given, sentence)
cross join lateral pg_temp.refused_with(w.given::jsonb, w.sentence) as r;

select throws_ok('select public.plant_vine(''[]'')', 'PT400', 'manifest: an object is wanted.');
select is((select count(*)::int from public.vines), 1, 'nothing of the refused ones is left');

select throws_ok($$ select pg_temp.plant('{}') $$, 'PT409', 'There is a vine shop/development in this vineyard already.', 'one vine of a project and stage');
select lives_ok($$ select pg_temp.plant('{"environment_stage": "staging"}') $$, 'another stage is another vine');
select throws_ok($$ select pg_temp.plant('{"project_name": "other", "vineyard_id": "00000000-0000-0000-0000-000000000000"}') $$, 'PT404', null, 'a vineyard that is not there');
select throws_ok($$ select pg_temp.plant('{"project_name": "other", "cloud_identity_id": "00000000-0000-0000-0000-000000000000"}') $$, 'PT404', null, 'an identity that is not there');
select tests.act_as((select stranger from t));
select throws_ok($$ select pg_temp.plant('{"project_name": "other"}') $$, 'PT404', null, 'nor is it there for a stranger');
select tests.act_as((select viewer from t));
select throws_ok($$ select pg_temp.plant('{"project_name": "other"}') $$, 'PT403', null, 'and a viewer plants nothing');

select tests.act_as_owner();
select is_empty($$
  select c.conrelid::regclass, c.conname
  from pg_constraint as c
  join private.component_kinds as k on k.table_name = c.conrelid
  cross join unnest(c.conkey) as n (attnum)
  join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = n.attnum and a.attname = any (k.client_columns)
  where c.contype = 'c' and obj_description(c.oid, 'pg_constraint') is null
$$, 'every check of what clients write says in words what it wants');

select tests.act_as_owner();
create temporary table bare on commit drop as select tests.plant(tests.sign_up('holes')) as vine;
select throws_ok(format('insert into public.%s (vine_id, %s) select vine, %L from bare', r.t, r.c, '{null}'), '23514', null, r.c || ' has no holes')
from (values ('vine_network', 'allowed_cidr_blocks'), ('vine_cluster', 'instance_types')) as r (t, c);

select * from finish();
rollback;
