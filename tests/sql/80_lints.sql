-- Rules for the rules: what a linter behind a dashboard would say, and our own conventions.
begin;
select plan(12);

select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'cloud'::regnamespace) and f.prosecdef
    and (has_function_privilege('anon', f.oid, 'EXECUTE') or has_function_privilege('authenticated', f.oid, 'EXECUTE'))
$$, 'lints 0028 and 0029: no exposed function is SECURITY DEFINER');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
    and not coalesce(f.proconfig @> array['search_path=""'], false)
    and f.prosqlbody is null
$$, 'every function sets an empty search_path, or has a body that was bound when it was made');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
    and obj_description(f.oid, 'pg_proc') is null
$$, 'every function has a comment');
select is_empty($$
  select t.oid::regtype from pg_type as t
  where t.typnamespace in ('public'::regnamespace, 'private'::regnamespace) and t.typtype in ('e', 'd')
    and obj_description(t.oid, 'pg_type') is null
$$, 'every enum and domain has a comment');
select is_empty($$
  select p.schemaname, p.tablename, p.policyname from pg_policies as p
  where p.schemaname in ('public', 'cloud', 'private') and (p.cmd = 'ALL' or p.roles <> '{authenticated}')
$$, 'one policy a command, to authenticated');
select is_empty($$
  select c.oid::regclass from pg_class as c
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, to_regnamespace('cloud'))
    and c.relkind in ('r', 'p') and not c.relrowsecurity
$$, 'every table has row level security');
select is_empty($$
  select c.oid::regclass from pg_class as c
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, to_regnamespace('cloud'))
    and c.relkind in ('r', 'p', 'v') and obj_description(c.oid, 'pg_class') is null
$$, 'every table has a comment');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'private'::regnamespace, to_regnamespace('cloud'))
    and (f.proacl is null or exists (select from aclexplode(f.proacl) as a where a.grantee = 0))
$$, 'nobody may call a function merely because it is there');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, to_regnamespace('cloud')) and not exists (
    select from aclexplode(f.proacl) as a
    where a.grantee in ('anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
  )
$$, 'every exposed function is granted to someone by name');
select is_empty($$
  select c.oid::regclass, a.grantee::regrole, a.privilege_type
  from pg_class as c cross join aclexplode(c.relacl) as a
  where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, to_regnamespace('cloud'))
    and a.grantee in (0, 'anon'::regrole)
$$, 'nobody reaches a table without signing in');
select set_eq($$
  select k.conrelid::regclass::text, k.conname::text
  from pg_constraint as k
  where k.connamespace in ('public'::regnamespace, 'private'::regnamespace, to_regnamespace('cloud'))
    and k.contype = 'f' and not exists (
      select from pg_index as i
      where i.indrelid = k.conrelid and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
        -- rows without the reference need no place in its index
        and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
    )
$$, $$ values ('provision_jobs', 'provision_jobs_job_type_fkey'), ('provision_jobs', 'provision_jobs_worker_id_fkey') $$,
  'every foreign key has an index, but for those that docs/advisors.md explains');
select set_eq($$
  select schemaname || '.' || tablename from pg_publication_tables where pubname = 'supabase_realtime'
$$, $$ values ('public.provision_job_logs'), ('public.provision_jobs'), ('public.workers'),
  ('public.vineyards'), ('public.vines') $$,
  'exactly these tables are live');

select * from finish();
rollback;
