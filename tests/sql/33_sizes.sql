-- How much may be sent: whatever clients and Tendrils write has a limit, and one error says so.
begin;
select plan(21);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id, p_more => '{
  "network": {}, "cluster": {}, "dns": {"enabled": false}, "repositories": {}, "databases": [{"name": "one"}],
  "caches": [{"name": "one"}], "nosql_tables": [{"name": "one", "hash_key": "k"}], "queues": [{"name": "one"}],
  "topics": [{"name": "one"}], "container_registries": [{"name": "one"}], "secrets": [{"name": "one"}]
}') as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add job uuid;
grant select, update on t to public;
create function pg_temp.say(p_who text, p_sql text) returns text language sql as $$
  select tests.outcome((select (to_jsonb(t) ->> p_who)::uuid from t), p_sql) $$;
update t set worker = tests.tendril(owner);
select pg_temp.say('owner', $$ insert into public.provider_tokens (provider, access_token) values ('github', 'x') returning 1 $$);

--------------------------------------------------------------------------------------------------
-- Columns
--------------------------------------------------------------------------------------------------

create temporary table columns on commit drop as
select format('%s.%I', c.relnamespace::regnamespace, c.relname) as table_name, a.attname as column_name, case
    when exists (select from private.encrypted_columns as e where (e.table_name, e.column_name) = (c.oid, a.attname)) then
      case a.atttypid when 'jsonb'::regtype then 'jsonb_build_object(''x'', repeat(''x'', %s))' else 'repeat(''x'', %s)' end
    when a.atttypid = 'jsonb'::regtype then 'jsonb_build_object(''x'', repeat(''x'', %s))'
    when a.atttypid = 'text[]'::regtype then 'array[repeat(''x'', %s)]'
    else 'repeat(''x'', %s)'
  end as written,
  a.atttypid = 'text'::regtype
    and not exists (select from private.encrypted_columns as e where (e.table_name, e.column_name) = (c.oid, a.attname)) as is_short
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace in ('public'::regnamespace, 'cloud'::regnamespace) and c.relkind = 'r'
  and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
  and has_column_privilege('authenticated', c.oid, a.attnum, 'update');
grant select on columns to public;

select is_empty($$
  select c.table_name, c.column_name, o.outcome
  from columns as c
  cross join lateral pg_temp.say('owner', format('update %s set %I = ' || c.written || ' where true',
    c.table_name, c.column_name, case when c.is_short then 2001 else 65536 end)) as o (outcome)
  where o.outcome is distinct from 'too_large'
$$, 'every text, list and object that users may change has its limit');
select cmp_ok((select count(*) from columns), '>', 40::bigint, 'of which there are many');
select is(pg_temp.say('owner', $$ update public.vineyards set description = repeat('x', 1900) where true returning 1 $$), '1', 'a long text is no problem');
select is(pg_temp.say('owner', $$ update public.vine_cluster set provider_config = jsonb_build_object('x', repeat('x', 65000)) where true returning 1 $$), '1', 'nor an object of some size');
select is(pg_temp.say('owner', $$ update public.cloud_identities set credentials = jsonb_build_object('key', repeat('x', 40000)) where true returning 1 $$), '1', 'or a long secret');
select is_empty($$
  select c.oid::regclass, a.attname
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
  where c.relnamespace in ('public'::regnamespace, 'cloud'::regnamespace)
    and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
    and has_column_privilege('authenticated', c.oid, a.attnum, 'insert')
    and not has_column_privilege('authenticated', c.oid, a.attnum, 'update')
    and not exists (
      select from pg_constraint as k
      where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum] and pg_get_constraintdef(k.oid) like '%ANY (ARRAY[%'
    )
$$, 'what is written once is one of a few words');
insert into auth.users (id, raw_app_meta_data, raw_user_meta_data, email)
values ('00000000-0000-4000-8000-000000000033', '{}', jsonb_build_object('first_name', repeat('ä', 5000)), 'much@example.com');
select is((select length(first_name) from public.users where auth_user_id = '00000000-0000-4000-8000-000000000033'), 200,
  'who signs up with a long name is called by the beginning of it');

--------------------------------------------------------------------------------------------------
-- Calls
--------------------------------------------------------------------------------------------------

select is(pg_temp.say('owner', $$ select public.create_account(repeat('x', 2001)) $$), 'too_large', 'a team''s name');
select is(pg_temp.say('owner', $$ select public.register_tendril(repeat('x', 2001)) $$), 'too_large', 'a Tendril''s');
select is(pg_temp.say('owner', $$ select public.enqueue_job(vine, 'DEPLOY', repeat('x', 201)) from t $$), 'too_large', 'an idempotency key');
update t set job = (pg_temp.say('owner', $$ select (public.enqueue_job(vine, 'DEPLOY')).id from t $$))::uuid;
select pg_temp.say('worker', 'select public.claim_next_job(worker) from t'), pg_temp.say('worker', 'select public.start_job(job, 1) from t');
select is(pg_temp.say('worker', $$ select public.heartbeat(repeat('1', 101)) $$), 'too_large', 'a version');
select is(pg_temp.say('worker', $$ select public.heartbeat('1.0.0', 'ONLINE', array_fill(gen_random_uuid(), '{1001}')) $$), 'invalid_input', 'a list of jobs');
select is(pg_temp.say('worker', $$ select public.lock_terraform_state(job, 1, jsonb_build_object('ID', repeat('x', 9000))) from t $$), 'too_large', 'a lock');
select is(pg_temp.say('worker', format('select public.complete_job(job, 1, %L, %s) from t', 'FAILED', w.sent)), 'too_large', w.what)
from (values
  ('repeat(''x'', 16 * 1024 + 1)', 'an error message'),
  ('null, jsonb_build_object(''x'', repeat(''x'', 256 * 1024))', 'outputs'),
  ('null, null, jsonb_build_object(''x'', repeat(''x'', 64 * 1024))', 'metadata')
) as w (sent, what);
create function pg_temp.append(p_from integer, p_to integer) returns text language sql as $$
  select pg_temp.say('worker', format($q$ select public.append_job_logs(job, 1, (
    select jsonb_agg(jsonb_build_object('seq', n, 'log_chunk', '', 'stream_type', 'STDOUT')) from generate_series(%s, %s) as n)) from t $q$, p_from, p_to)) $$;
select is(pg_temp.append(1, 2), '3', 'chunks with nothing in them');
select is((select bytes from private.job_log_counts where job_id = (select job from t)), 200, 'count too');
update private.job_log_counts set bytes = private.log_limit() - 150 where job_id = (select job from t);
select is(pg_temp.append(3, 9), '10', 'more of them are acknowledged');
select is((select string_agg(log_chunk, '' order by seq) || count(*) from public.provision_job_logs where job_id = (select job from t)),
  E'The log ends here, at its limit of 16777216 bytes; the job goes on.\n5', 'up to the limit');
select is(pg_temp.say('worker', $$ select (public.complete_job(job, 1, 'SUCCESS', 'said', jsonb_build_object('x', repeat('x', 200000)))).status from t $$), 'SUCCESS', 'within them a job ends');

select * from finish();
rollback;
