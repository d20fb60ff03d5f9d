-- Rules for the rules: what a linter behind a dashboard would say, and our own conventions.
begin;
select plan(6);

select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'cloud'::regnamespace) and f.prosecdef
    and (has_function_privilege('anon', f.oid, 'EXECUTE') or has_function_privilege('authenticated', f.oid, 'EXECUTE'))
$$, 'lints 0028 and 0029: no exposed function is SECURITY DEFINER');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
    and not coalesce(f.proconfig @> array['search_path=""'], false)
$$, 'every function sets an empty search_path');
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
  where p.schemaname in ('public', 'cloud') and (p.cmd = 'ALL' or p.roles <> '{authenticated}')
$$, 'one policy a command, to authenticated');
select set_eq($$
  select schemaname || '.' || tablename from pg_publication_tables where pubname = 'supabase_realtime'
$$, $$ values ('public.provision_job_logs'), ('public.provision_jobs'), ('public.workers'), ('public.vines') $$,
  'exactly these tables are live');

select * from finish();
rollback;
