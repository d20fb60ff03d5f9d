-- Every move of each life cycle, legal or not, from the data that holds them.
begin;
select plan(7);

set constraints all immediate;

create temporary table t on commit drop as
select tests.plant(tests.sign_up('owner'), p_more => '{"network": {}}') as vine;

create function pg_temp.refused(p_sql text, variadic p_args text[] default '{}')
returns text
language plpgsql
as $$
begin
  execute format(p_sql, variadic p_args);
  return null;
exception when others then
  return sqlstate;
end;
$$;

-- puts a row into a state without its guard, as no one but a superuser could
create function pg_temp.force(p_table regclass, p_column text, p_status text)
returns void
language plpgsql
as $$
begin
  execute format('alter table %s disable trigger user', p_table);
  execute format('update %s set status = %L where %I = (select vine from t)', p_table, p_status, p_column);
  execute format('alter table %s enable trigger user', p_table);
end;
$$;

create function pg_temp.moves(p_table regclass, p_column text, p_states anyarray, p_next regproc)
returns table (from_status text, to_status text, legal boolean, allowed boolean)
language plpgsql
as $$
declare
  v_from text;
  v_to text;
  v_next text[];
begin
  foreach v_from in array p_states::text[] loop
    execute format('select %s(%L)::text[]', p_next, v_from) into v_next;
    foreach v_to in array p_states::text[] loop
      continue when v_to = v_from;
      perform pg_temp.force(p_table, p_column, v_from);
      return query select v_from, v_to, v_to = any (v_next),
        pg_temp.refused('update %s set status = %L where %I = (select vine from t)', p_table::text, v_to, p_column) is null;
    end loop;
  end loop;
end;
$$;

create temporary table vine_moves on commit drop as
select * from pg_temp.moves('public.vines', 'id', enum_range(null::public.vine_status), 'private.next_vine_statuses');
select is_empty('select * from vine_moves where legal <> allowed', 'vines move as the rules say');
select is((select count(*)::int from vine_moves where legal), 13, 'thirteen moves of a vine are legal');

select pg_temp.force('public.vines', 'id', 'DRAFT');
create temporary table component_moves on commit drop as
select * from pg_temp.moves('public.vine_network', 'vine_id', enum_range(null::public.component_status), 'private.next_component_statuses');
select is_empty('select * from component_moves where legal <> allowed', 'components move as the rules say');
select is((select count(*)::int from component_moves where legal), 12, 'twelve moves of a component are legal');

insert into public.provision_jobs (account_id, vine_id, job_type)
select y.account_id, v.id, 'PLAN' from public.vines as v join public.vineyards as y on y.id = v.vineyard_id
where v.id = (select vine from t);
create temporary table job_moves on commit drop as
select * from pg_temp.moves('public.provision_jobs', 'vine_id', enum_range(null::public.provision_job_status), 'private.next_job_statuses');
select is_empty('select * from job_moves where legal <> allowed', 'jobs move as the rules say');
select is((select count(*)::int from job_moves where legal), 10, 'ten moves of a job are legal');

select is(
  pg_temp.refused($$ insert into public.vine_network (vine_id, status) select vine, 'ACTIVE' from t $$), 'PT409',
  'nothing is born ACTIVE');

select * from finish();
rollback;
