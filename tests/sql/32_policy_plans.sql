-- What policies cost: the accounts of the caller are looked up once a query, and rows are found by an index.
-- Sequential scans are priced out, so that plans of small tables are those of large ones.
begin;
select plan(4);

select is_empty($$
  select p.tablename, p.policyname, e.expression
  from pg_policies as p cross join lateral (values (p.qual), (p.with_check)) as e (expression)
  where p.schemaname in ('public', 'cloud')
    and regexp_replace(e.expression, '(SELECT|FROM) (private|auth)\.\w+\(', '', 'g') ~ '(private|auth|current_setting)[.(]'
$$, 'a policy calls a function within a select of its own, never once a row');

create temporary table t on commit drop as select tests.sign_up('owner') as owner;
grant select on t to public;

create function pg_temp.plan_of(p_sql text)
returns text
language plpgsql
as $$
declare
  v_line text;
  v_plan text := '';
begin
  perform tests.act_as((select owner from t));
  set local enable_seqscan = off;
  for v_line in execute 'explain (costs off) ' || p_sql loop
    v_plan := v_plan || v_line || E'\n';
  end loop;
  perform tests.act_as_owner();
  return v_plan;
end;
$$;

-- judged_by is the column that the policy compares
create temporary table plans on commit drop as
select c.relname as table_name, q.kind, 'account_id' as judged_by, pg_temp.plan_of(format(q.query, c.relname)) as plan
from pg_class as c
cross join (values
  ('list', 'select * from public.%I limit 50'),
  ('count', 'select count(*) from public.%I'),
  ('by key', $$ select * from public.%I where id = '00000000-0000-0000-0000-000000000000' $$)
) as q (kind, query)
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
  and has_table_privilege('authenticated', c.oid, 'select')
  and 2 = (select count(*) from pg_attribute as a where a.attrelid = c.oid and a.attname in ('id', 'account_id'))
union all
select q.table_name, 'by parent', 'account_id', pg_temp.plan_of(format('select * from public.%I where %I = %L', q.table_name, q.parent, gen_random_uuid()))
from (values ('vines', 'vineyard_id'), ('vine_databases', 'vine_id'), ('provision_jobs', 'vine_id'), ('provision_job_logs', 'job_id')) as q (table_name, parent)
union all
select q.table_name, 'list', q.judged_by, pg_temp.plan_of(format('select * from public.%I', q.table_name))
from (values ('accounts', 'id'), ('accounts_memberships', 'account_id'), ('users', 'auth_user_id'), ('workers', 'user_id')) as q (table_name, judged_by);

select is_empty($$
  select table_name, kind, plan from plans
  where plan !~ (judged_by || ' = ANY \((\(InitPlan|\$)') or plan ~ '(SubPlan|Seq Scan|Nested Loop|Hash|Function Scan)'
$$, 'accounts are looked up once a query, and tables are not read from end to end');
select is_empty($$
  select p.table_name, p.judged_by from plans as p
  where not exists (
    select from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
    where i.indrelid = ('public.' || p.table_name)::regclass and a.attname = p.judged_by and i.indpred is null
  )
$$, 'what a policy compares leads an index');
select set_has($$ select table_name, kind from plans $$, $$
  select n.name, k.kind
  from unnest('{vineyards,vines,vine_databases,provision_jobs,provision_job_logs}'::text[]) as n (name)
  cross join (values ('list'), ('count'), ('by key')) as k (kind)
$$, 'among them are the large tables');

select * from finish();
rollback;
