-- Every move of each life cycle, legal or not: each state to each other, in every table that has one, whoever writes.
begin;
select plan(17);

set constraints all immediate;

create temporary table t on commit drop as
select tests.plant(tests.sign_up('owner'), p_more => '{
  "network": {}, "cluster": {}, "dns": {"enabled": false}, "repositories": {}, "databases": [{"name": "one"}],
  "caches": [{"name": "one"}], "nosql_tables": [{"name": "one", "hash_key": "k"}], "queues": [{"name": "one"}],
  "topics": [{"name": "one"}], "container_registries": [{"name": "one"}], "secrets": [{"name": "one"}]
}') as vine;
grant select on t to public;
insert into public.provision_jobs (account_id, vineyard_id, vine_id, job_type)
select y.account_id, y.id, v.id, 'PLAN' from public.vines as v join public.vineyards as y on y.id = v.vineyard_id
where v.id = (select vine from t);

--------------------------------------------------------------------------------------------------
-- The newer of two states has the later updated_at, also where one transaction makes both
--------------------------------------------------------------------------------------------------

create temporary table changes (kind text, updated_at timestamptz) on commit drop;
do $$
begin
  for i in 1..2 loop
    with changed as (
      update public.vines set region = region where id = (select vine from t) returning updated_at
    ) insert into changes select 'vine', * from changed;
    with changed as (
      update public.vineyards set name = name
      where id = (select vineyard_id from public.vines where id = (select vine from t)) returning updated_at
    ) insert into changes select 'vineyard', * from changed;
    with changed as (
      update public.provision_jobs set priority = priority where vine_id = (select vine from t) returning updated_at
    ) insert into changes select 'job', * from changed;
  end loop;
end;
$$;
select set_eq($$
  select kind, count(distinct updated_at)::int from changes group by kind
$$, $$ values ('vine', 2), ('vineyard', 2), ('job', 2) $$, 'each change has a time of its own');

--------------------------------------------------------------------------------------------------
-- The rules are the picture that was drawn
--------------------------------------------------------------------------------------------------

select bag_eq($$
  select s, n from unnest(enum_range(null::public.vine_status)) as s cross join unnest(private.next_vine_statuses(s)) as n
$$, $$
  select f::public.vine_status, n::public.vine_status
  from (values
    ('DRAFT', '{QUEUED}'), ('QUEUED', '{PROVISIONING}'), ('PROVISIONING', '{ACTIVE,FAILED}'),
    ('ACTIVE', '{QUEUED,DESTROYING}'), ('DESTROYING', '{DESTROYED,FAILED}'), ('FAILED', '{QUEUED,DESTROYING}'),
    -- a queued DEPLOY is cancelled
    ('QUEUED', '{DRAFT,ACTIVE,FAILED}')
  ) as m (f, t) cross join unnest(m.t::text[]) as n
$$, 'the moves of a vine');
select bag_eq($$
  select s, n from unnest(enum_range(null::public.component_status)) as s cross join unnest(private.next_component_statuses(s)) as n
$$, $$
  select f::public.component_status, n::public.component_status
  from (values
    ('PENDING', '{CREATING}'), ('CREATING', '{ACTIVE,FAILED}'), ('ACTIVE', '{UPDATING,DESTROYING}'), ('UPDATING', '{ACTIVE,FAILED}'),
    ('FAILED', '{CREATING,UPDATING,DESTROYING}'), ('DESTROYING', '{DESTROYED,FAILED}')
  ) as m (f, t) cross join unnest(m.t::text[]) as n
$$, 'the moves of a component');
select bag_eq($$
  select s, n from unnest(enum_range(null::public.provision_job_status)) as s cross join unnest(private.next_job_statuses(s)) as n
$$, $$
  select f::public.provision_job_status, n::public.provision_job_status
  from (values
    ('QUEUED', '{CLAIMED,CANCELLED}'), ('CLAIMED', '{PROCESSING,FAILED,CANCELLED}'), ('PROCESSING', '{SUCCESS,FAILED,CANCELLED}'),
    -- its Tendril is lost before any harm is done
    ('CLAIMED', '{QUEUED}'), ('PROCESSING', '{QUEUED}')
  ) as m (f, t) cross join unnest(m.t::text[]) as n
$$, 'the moves of a job');

--------------------------------------------------------------------------------------------------
-- Each state to each other
--------------------------------------------------------------------------------------------------

create temporary table cycles on commit drop as
select k.table_name, 'vine_id' as key, 'component_status' as type, 'private.next_component_statuses' as next
from private.component_kinds as k where private.has_status(k)
union all values
  ('public.vines'::regclass, 'id', 'vine_status', 'private.next_vine_statuses'),
  ('public.provision_jobs', 'vine_id', 'provision_job_status', 'private.next_job_statuses');

create function pg_temp.try_move(p_who text, p_table regclass, p_key text, p_from text, p_to text)
returns text
language plpgsql
as $$
declare
  v_vine constant uuid := (select vine from t);
  v_rows bigint;
  v_code text;
begin
  -- past the guard, as only a superuser can
  set local session_replication_role = replica;
  execute format('update %s set status = %L where %I = $1', p_table, p_from, p_key) using v_vine;
  set local session_replication_role = origin;
  if p_who <> 'postgres' then
    perform tests.act_as_role(p_who);
  end if;
  execute format('update %s set status = %L where %I = $1', p_table, p_to, p_key) using v_vine;
  get diagnostics v_rows = row_count;
  raise exception using errcode = 'TT000', message = format('moved %s', v_rows);
exception
  when sqlstate 'TT000' then
    return sqlerrm;
  when others then
    get stacked diagnostics v_code = pg_exception_detail;
    return case when sqlstate like 'PT%' then v_code else sqlstate end;
end;
$$;

create function pg_temp.moves(p_who text)
returns table (table_name regclass, from_status text, to_status text, wanted text, found text)
language plpgsql
as $$
declare
  v_cycle cycles;
  v_from text;
  v_to text;
  v_states text[];
  v_next text[];
begin
  for v_cycle in select * from cycles loop
    execute format('select enum_range(null::public.%I)::text[]', v_cycle.type) into v_states;
    foreach v_from in array v_states loop
      execute format('select %s(%L)::text[]', v_cycle.next, v_from) into v_next;
      foreach v_to in array v_states loop
        return query select v_cycle.table_name, v_from, v_to,
          case when v_to = v_from or v_to = any (v_next) then 'moved 1' else 'illegal_transition' end,
          pg_temp.try_move(p_who, v_cycle.table_name, v_cycle.key, v_from, v_to);
      end loop;
    end loop;
  end loop;
end;
$$;

create temporary table by_database on commit drop as select * from pg_temp.moves('postgres');
select is((select count(distinct table_name)::int from by_database), 12, 'vines, jobs and every kind of component but repositories have a life cycle');
select is((select count(*)::int from by_database), 11 * 7 * 7 + 6 * 6, 'each state to each other');
select is_empty('select * from by_database where found <> wanted', 'moves as the rules say, and no other');
select is_empty($$
  select c.table_name, r from cycles as c cross join unnest('{anon,authenticated,service_role}'::text[]) as r
  where has_column_privilege(r, c.table_name, 'status', 'update')
$$, 'nobody is given any of them');

--------------------------------------------------------------------------------------------------
-- Each state at birth
--------------------------------------------------------------------------------------------------

create function pg_temp.try_birth(p_table regclass, p_status text)
returns text
language plpgsql
as $$
declare
  v_row jsonb;
begin
  execute format('select to_jsonb(x) from %s as x where %I = (select vine from t)', p_table,
    (select key from cycles where table_name = p_table)) into v_row;
  execute format('delete from %s where id = $1', p_table) using (v_row ->> 'id')::uuid;
  execute format('insert into %1$s select * from jsonb_populate_record(null::%1$s, $1)', p_table)
  using v_row || jsonb_build_object('status', p_status);
  raise exception using errcode = 'TT000';
exception
  when sqlstate 'TT000' then return 'born';
  when others then return sqlstate;
end;
$$;
select set_eq($$
  select c.type, s from cycles as c
  cross join lateral unnest(case c.type
    when 'vine_status' then enum_range(null::public.vine_status)::text[]
    when 'component_status' then enum_range(null::public.component_status)::text[]
    else enum_range(null::public.provision_job_status)::text[] end) as s
  where pg_temp.try_birth(c.table_name, s) = 'born'
$$, $$ values ('vine_status', 'DRAFT'), ('component_status', 'PENDING'), ('provision_job_status', 'QUEUED') $$,
  'each is born in the first state of its cycle');
select is((select count(*)::int from cycles where pg_temp.try_birth(table_name, case type
  when 'vine_status' then 'ACTIVE' when 'component_status' then 'ACTIVE' else 'SUCCESS' end) = 'PT409'), 12, 'and in no other');

--------------------------------------------------------------------------------------------------
-- The guard asks nobody's name: one table of each cycle, written by a role that were given it
--------------------------------------------------------------------------------------------------

delete from cycles where table_name not in ('public.vines'::regclass, 'public.provision_jobs'::regclass, 'public.vine_caches'::regclass);
grant update (status) on public.vines, public.provision_jobs, public.vine_caches to service_role;
select is_empty($$ select * from pg_temp.moves('service_role') where found <> wanted $$, 'the rules hold for service_role too');

--------------------------------------------------------------------------------------------------
-- A DESTROYED vine stays as it was
--------------------------------------------------------------------------------------------------

create function pg_temp.try_write(p_status public.vine_status, p_sql text)
returns text
language plpgsql
as $$
declare
  v_code text;
begin
  set local session_replication_role = replica;
  update public.vines set status = p_status where id = (select vine from t);
  set local session_replication_role = origin;
  execute p_sql;
  raise exception using errcode = 'TT000';
exception
  when sqlstate 'TT000' then
    return 'written';
  when others then
    get stacked diagnostics v_code = pg_exception_detail;
    return v_code;
end;
$$;
create temporary table writes on commit drop as
select k.table_name, s as vine_status, w.sql, pg_temp.try_write(s, w.sql) as found
from private.component_kinds as k
cross join unnest(enum_range(null::public.vine_status)) as s
cross join lateral (values
  (format('update %s set %2$I = %2$I where vine_id = (select vine from t)', k.table_name, k.client_columns[1])),
  (format('delete from %s where vine_id = (select vine from t)', k.table_name)),
  (format('with gone as (select to_jsonb(x) || jsonb_build_object(''id'', gen_random_uuid(), ''name'', ''two'') as r from %1$s as x '
          'where vine_id = (select vine from t)) insert into %1$s select n.* from gone, jsonb_populate_record(null::%1$s, gone.r) as n',
    k.table_name))
) as w (sql)
where not (k.is_singleton and w.sql like 'with%');
select is_empty($$ select * from writes where vine_status <> 'DESTROYED' and found <> 'written' $$,
  'a component may be made, changed and removed whatever its vine is doing');
select is_empty($$ select * from writes where vine_status = 'DESTROYED' and found <> 'vine_destroyed' $$, 'but for a DESTROYED one');
select is((select count(*)::int from writes where vine_status = 'DESTROYED'), 29, 'each kind, each command');
select is(pg_temp.try_write('ACTIVE', $$ insert into public.vine_network (vine_id) select vine from t $$),
  'Key (vine_id)=(' || vine || ') already exists.', 'a singleton stands once') from t;
set local session_replication_role = replica;
update public.vines set status = 'DESTROYED' where id = (select vine from t);
set local session_replication_role = origin;
select is(tests.outcome(u, format('insert into public.vine_queues (vine_id, name) values (%L, ''late'')', vine)), wanted, who)
from (select y.user_id, v.id as vine from t join public.vines as v on v.id = t.vine join public.vineyards as y on y.id = v.vineyard_id) as t, lateral (values (user_id, 'vine_destroyed', 'its owner learns that it is DESTROYED'), (tests.sign_up('s'), '42501', 'and a stranger does not')) as s (u, wanted, who);

select * from finish();
rollback;
