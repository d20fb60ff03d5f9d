-- The audit log: who did what, what changed, and that it stays.
begin;
select plan(9);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id, p_more => '{"databases": [{"name": "main"}]}') as vine
from (select tests.sign_up('owner') as id) as o;
grant select on t to public;

select tests.act_as((select owner from t));
update public.vine_databases set port = 5433 where vine_id = (select vine from t);
update public.vine_databases set port = 5433 where vine_id = (select vine from t);
select results_eq($$
  select action::text, component_type, user_id, changes from public.vine_audit_log
  where vine_id = (select vine from t) and action = 'UPDATED'
$$, $$ select 'UPDATED', 'database', owner, '{"port": {"before": 5432, "after": 5433}}'::jsonb from t $$,
  'a change names who, what, before and after; no change says nothing');
select is((select changes -> 'project_name' from public.vine_audit_log where vine_id = (select vine from t) and component_type = 'vine'),
  '{"after": "shop"}', 'a vine''s making is there');
delete from public.vine_databases where vine_id = (select vine from t);
select is((select changes -> 'port' from public.vine_audit_log where vine_id = (select vine from t) and action = 'DELETED'),
  '{"before": 5433}', 'a component''s end too');
delete from public.vines where id = (select vine from t);
select is((select count(*)::int from public.vine_audit_log where component_id = (select vine from t)), 2, 'the log outlives its vine');
select is((select user_id from public.vine_audit_log where component_id = (select vine from t) and action = 'DELETED'),
  (select owner from t), 'and says who deleted it');

select throws_ok('update public.vine_audit_log set user_id = null where true', '42501', null, 'users do not rewrite it');
select tests.act_as_owner();
select throws_ok('update public.vine_audit_log set action = ''CREATED'' where true', 'PT403', null, 'nor does anyone else');
select throws_ok('delete from public.vine_audit_log where true', 'PT403', null, 'nor delete from it');
select is(private.row_diff('{"argocd_admin_password": "a", "x": 1}', '{"argocd_admin_password": "b", "x": 1}'),
  '{"argocd_admin_password": "redacted"}', 'secrets are redacted');

select * from finish();
rollback;
