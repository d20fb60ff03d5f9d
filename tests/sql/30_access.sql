-- Who sees and does what: strangers, members by role, Tendrils, anon.
begin;
select plan(23);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('viewer') as viewer, tests.sign_up('operator') as operator,
       tests.sign_up('admin') as admin, tests.sign_up('stranger') as stranger,
       tests.plant(o.id, p_more => '{"network": {}, "databases": [{"name": "main"}]}') as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add vineyard uuid;
update t set worker = tests.tendril(owner), vineyard = (select vineyard_id from public.vines where id = t.vine);
select tests.join_account(owner, viewer, 'viewer'), tests.join_account(owner, operator, 'operator'),
       tests.join_account(owner, admin, 'admin') from t;
grant select on t to public;

-- rows that a command reaches, or the error it ends with, for each who
create function pg_temp.reach(p_who uuid, p_sql text)
returns text
language plpgsql
as $$
declare
  v_rows bigint;
begin
  perform tests.act_as(p_who);
  execute p_sql;
  get diagnostics v_rows = row_count;
  perform tests.act_as_owner();
  return v_rows::text;
exception when others then
  return sqlstate;
end;
$$;

create function pg_temp.reaches(p_sql text, p_wanted text, p_about text)
returns text
language sql
as $$
  select is(format('stranger %s, viewer %s, operator %s, admin %s, owner %s, Tendril %s',
    pg_temp.reach(stranger, p_sql), pg_temp.reach(viewer, p_sql), pg_temp.reach(operator, p_sql),
    pg_temp.reach(admin, p_sql), pg_temp.reach(owner, p_sql), pg_temp.reach(worker, p_sql)), p_wanted, p_about)
  from t;
$$;

select pg_temp.reaches($$ select from public.vines where id = (select vine from t) $$,
  'stranger 0, viewer 1, operator 1, admin 1, owner 1, Tendril 0', 'vines are read by members');
select pg_temp.reaches($$ select from public.vine_databases where vine_id = (select vine from t) $$,
  'stranger 0, viewer 1, operator 1, admin 1, owner 1, Tendril 0', 'components are read by members');
select pg_temp.reaches($$ update public.vine_databases set port = 5433 where vine_id = (select vine from t) $$,
  'stranger 0, viewer 0, operator 1, admin 1, owner 1, Tendril 0', 'components are changed by operators');
select pg_temp.reaches($$ insert into public.vine_queues (vine_id, name) select vine, 'q' || substr(md5(random()::text), 1, 8) from t $$,
  'stranger 42501, viewer 42501, operator 1, admin 1, owner 1, Tendril 42501', 'components are made by operators');
select pg_temp.reaches($$ select from public.cloud_identities where account_id = (select account_id from public.vineyards where id = (select vineyard from t)) $$,
  'stranger 0, viewer 1, operator 1, admin 1, owner 1, Tendril 0', 'identities are read by members');
select pg_temp.reaches($$ update public.vineyards set description = 'd' where id = (select vineyard from t) $$,
  'stranger 0, viewer 0, operator 0, admin 1, owner 1, Tendril 0', 'vineyards are changed by admins');
select pg_temp.reaches($$ select public.enqueue_job((select vine from t), 'PLAN') $$,
  'stranger PT404, viewer PT403, operator 1, admin 1, owner 1, Tendril PT404', 'jobs are queued by operators');
select pg_temp.reaches($$ select from public.provision_jobs where vine_id = (select vine from t) $$,
  'stranger 0, viewer 3, operator 3, admin 3, owner 3, Tendril 0', 'jobs are read by members, and by the Tendril that holds one');
select pg_temp.reaches($$ insert into public.provision_jobs (vine_id, job_type) values ((select vine from t), 'PLAN') $$,
  'stranger 42501, viewer 42501, operator 42501, admin 42501, owner 42501, Tendril 42501', 'nobody writes jobs past the functions');
select pg_temp.reaches($$ select from public.workers where id = (select worker from t) $$,
  'stranger 0, viewer 0, operator 0, admin 0, owner 1, Tendril 1', 'a Tendril is seen by its owner and itself');
select pg_temp.reaches($$ select from public.vine_audit_log where vine_id = (select vine from t) and component_type = 'vine' $$,
  'stranger 0, viewer 1, operator 1, admin 1, owner 1, Tendril 0', 'the audit log is read by members');
select pg_temp.reaches($$ delete from public.vine_audit_log where vine_id = (select vine from t) $$,
  'stranger 42501, viewer 42501, operator 42501, admin 42501, owner 42501, Tendril 42501', 'and changed by nobody');
select pg_temp.reaches($$ update public.vine_network set status = 'ACTIVE' where vine_id = (select vine from t) $$,
  'stranger 42501, viewer 42501, operator 42501, admin 42501, owner 42501, Tendril 42501', 'nobody writes what the system computes');
select pg_temp.reaches($$ select private.encryption_key('1') $$,
  'stranger 42501, viewer 42501, operator 42501, admin 42501, owner 42501, Tendril 42501', 'the key is out of reach');
select pg_temp.reaches($$ select from private.terraform_states $$,
  'stranger 42501, viewer 42501, operator 42501, admin 42501, owner 42501, Tendril 42501', 'and so are the states');

-- a vine cannot run in somebody else's cloud
select tests.act_as((select stranger from t));
select throws_ok($$
  insert into public.vines (vineyard_id, project_name, region) select vineyard, 'mine', 'eu-west-1' from t
$$, '42501', null, 'a vine stands in a vineyard of one''s own');
select tests.act_as_owner();
create temporary table other on commit drop as select tests.plant((select stranger from t)) as vine;
grant select on other to public;
select throws_ok($$
  update public.vines set cloud_identity_id = (select cloud_identity_id from public.vines where id = (select vine from t))
  where id = (select vine from other)
$$, 'PT404', null, 'and runs in a cloud of one''s own');

-- tokens that hold nonsense see nothing, and raise nothing
create function pg_temp.rows_with_sub(p_sub jsonb)
returns bigint
language plpgsql
as $$
declare
  v_count bigint;
begin
  perform set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', p_sub)::text, true);
  perform set_config('role', 'authenticated', true);
  select (select count(*) from public.vines) + (select count(*) from public.provision_job_logs)
    + (select count(*) from public.workers) into v_count;
  perform tests.act_as_owner();
  return v_count;
end;
$$;
select is(pg_temp.rows_with_sub('"not-a-uuid"'), 0::bigint, 'a sub that is no uuid');
select is(pg_temp.rows_with_sub('null'), 0::bigint, 'a null sub');
select is(pg_temp.rows_with_sub('{"a": 1}'), 0::bigint, 'a sub that is an object');

-- anon
select is_empty($$
  select c.oid::regclass, p.privilege_type
  from pg_class as c
  cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) as p (privilege_type)
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
    and c.relkind in ('r', 'v', 'm', 'p') and has_table_privilege('anon', c.oid, p.privilege_type)
$$, 'anon reads and writes no table');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
    and has_function_privilege('anon', f.oid, 'EXECUTE')
$$, 'anon runs no function');
select is_empty($$
  select c.oid::regclass from pg_class as c
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and c.relkind in ('r', 'p')
    and has_table_privilege('authenticated', c.oid, 'TRUNCATE')
$$, 'nobody truncates');

select * from finish();
rollback;
