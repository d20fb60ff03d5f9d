-- What a stage sets: sizes, names and the state path.
begin;
select plan(16);

create temporary table t on commit drop as select tests.sign_up('owner') as owner;
alter table t add development uuid, add staging uuid, add production uuid;
update t set development = tests.plant(owner), staging = tests.plant(owner, p_stage => 'staging'),
             production = tests.plant(owner, p_stage => 'production');
grant select on t to public;

--------------------------------------------------------------------------------------------------
-- The table is whole and fits the components
--------------------------------------------------------------------------------------------------

create temporary table by_stage on commit drop as
select k.manifest_key, a.attname
from private.component_kinds as k
join pg_attribute as a on a.attrelid = k.table_name
join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where pg_get_expr(d.adbin, d.adrelid) like 'NULLIF(%';
select bag_eq($$
  select d.environment_stage, d.component, s.key
  from public.environment_defaults as d cross join jsonb_object_keys(d.settings) as s (key)
$$, $$ select s.*, b.* from unnest(enum_range(null::public.environment_stage)) as s cross join by_stage as b $$,
  'each column whose default goes by stage has one in every stage, and no other column');
select is((select count(*)::int from by_stage), 11, 'eleven columns go by stage');
select is_empty($$
  select k.manifest_key, a.attname
  from private.component_kinds as k
  join pg_attribute as a on a.attrelid = k.table_name and a.attname = any (k.client_columns)
  where (k.manifest_key, a.attname) in (select * from by_stage) and not a.attnotnull
$$, 'and cannot be without a value');

--------------------------------------------------------------------------------------------------
-- They are applied, however a component is made
--------------------------------------------------------------------------------------------------

select tests.act_as((select owner from t));
select bag_eq($$ select environment_stage::text from public.environment_defaults where component = 'network' $$,
  $$ values ('development'), ('staging'), ('production') $$, 'a user can read them');
insert into public.vine_network (vine_id) select unnest(array[development, staging, production]) from t;
insert into public.vine_cluster (vine_id) select unnest(array[development, staging, production]) from t;
insert into public.vine_databases (vine_id, name) select unnest(array[development, staging, production]), 'a' from t;
insert into public.vine_caches (vine_id, name) select unnest(array[development, staging, production]), 'a' from t;
create function pg_temp.values_of(p_kind text) returns setof jsonb language plpgsql as $$
begin
  return query execute format(
    'select jsonb_object_agg(b.attname, to_jsonb(c) -> b.attname::text) from public.%I as c '
    'join public.vines as v on v.id = c.vine_id cross join by_stage as b where b.manifest_key = $1 and v.id = any ($2) '
    'group by c.id, v.environment_stage order by v.environment_stage',
    'vine_' || p_kind) using p_kind, (select array[development, staging, production] from t);
end;
$$;
select tests.act_as_owner();
select results_eq(format('select * from pg_temp.values_of(%L)', k),
  format('select settings from public.environment_defaults where component = %L order by environment_stage', k),
  k || ' left to its stage')
from unnest('{network,cluster,databases,caches}'::text[]) as k;

select tests.act_as((select owner from t));
insert into public.vine_databases (vine_id, name, max_capacity, backup_retention_days)
select production, 'given', 3, null from t;
select results_eq($$ select min_capacity, max_capacity, backup_retention_days from public.vine_databases where name = 'given' $$,
  'values (2::numeric, 3::numeric, 30)', 'what is given is kept; null stands for left out');
insert into public.vine_databases (vine_id, name, min_capacity, max_capacity, backup_retention_days)
select production, 'as-in-development', 0.5, 2, 1 from t;
select results_eq($$ select min_capacity, max_capacity, backup_retention_days from public.vine_databases where name = 'as-in-development' $$,
  'values (0.5, 2::numeric, 1)', 'what is given is kept though it is another stage''s default');
select throws_ok($$ update public.vine_databases set max_capacity = null where name = 'given' $$, '23502', null,
  'what stands is changed to a value, not to none');
update public.vines set environment_stage = 'production' where id = (select development from t);
select is((select multi_az from public.vine_caches where vine_id = (select development from t)), false,
  'another stage resizes nothing that stands');

--------------------------------------------------------------------------------------------------
-- Names
--------------------------------------------------------------------------------------------------

select results_eq($$ select v.name_prefix, v.state_path from public.vines as v where id = (select staging from t) $$,
  $$ select 'shop-staging', 'staging/shop/' || staging from t $$, 'names and the state path go by stage');
select tests.act_as_owner();

-- a column whose default goes by stage gets one or is an error, never a silent null
delete from public.environment_defaults where component = 'network';
select throws_ok($$ insert into public.vine_network (vine_id) select id from public.vines
  where id not in (select vine_id from public.vine_network) limit 1 $$, '23502', null, 'no default, no row')
from (values (tests.plant((select owner from t)))) as v;
select throws_ok($$ insert into public.environment_defaults values ('staging', 'nets', '{}') $$, '23503', null, 'no defaults for what is no component');
select throws_ok($$ insert into public.environment_defaults values ('staging', 'dns', '[]') $$, '23514', null, 'nor for no column');

select * from finish();
rollback;
