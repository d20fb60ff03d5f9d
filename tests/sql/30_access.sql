-- Who may do what: every table, every command, every kind of caller, in one table.
--
-- A new table needs a line for each command in `matrix` and, where clients write it, a line in `writable`; a new
-- function of an exposed schema needs its name in `callable`. The tests name what is missing.
begin;
select plan(19);

--------------------------------------------------------------------------------------------------
-- A team with everything in it
--------------------------------------------------------------------------------------------------

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('stranger') as stranger, tests.sign_up('viewer') as viewer,
       tests.sign_up('operator') as operator, tests.sign_up('admin') as admin,
       tests.plant(o.id) as bare,
       tests.plant(o.id, p_more => '{
         "network": {}, "cluster": {}, "dns": {"enabled": false}, "repositories": {}, "databases": [{"name": "one"}],
         "caches": [{"name": "one"}], "nosql_tables": [{"name": "one", "hash_key": "k"}], "queues": [{"name": "one"}],
         "topics": [{"name": "one"}], "container_registries": [{"name": "one"}], "secrets": [{"name": "one"}]
       }') as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add account uuid, add vineyard uuid, add identity uuid, add holder uuid, add idle uuid, add job uuid, add release uuid;
grant select on t to public;
update t set account = y.account_id, vineyard = y.id, identity = v.cloud_identity_id
from public.vines as v join public.vineyards as y on y.id = v.vineyard_id where v.id = t.vine;
select tests.join_account(owner, viewer, 'viewer'), tests.join_account(owner, operator, 'operator'),
       tests.join_account(owner, admin, 'admin') from t;
update t set holder = tests.tendril(owner), idle = tests.tendril(owner);
with made as (insert into public.worker_releases (version) values ('999.0.0') returning id)
update t set release = made.id from made;
select tests.act_as((select owner from t));
insert into public.provider_tokens (provider, access_token) values ('github', 'x');
select public.invite_member((select account from t), 'x@example.com', 'viewer');
select public.enqueue_job((select vine from t), 'PLAN');
select tests.act_as((select holder from t));
create temporary table claimed on commit drop as select * from public.claim_next_job((select holder from t));
select public.append_job_logs(id, 1, '[{"seq": 1, "log_chunk": "x", "stream_type": "STDOUT"}]') from claimed;
select tests.act_as_owner();
update t set job = (select id from claimed);

create function pg_temp.fill_in(p_sql text)
returns text
language plpgsql
as $$
declare
  v_sql text := p_sql;
  v_name text;
  v_value text;
begin
  for v_name, v_value in select f.* from t, jsonb_each_text(to_jsonb(t)) as f loop
    v_sql := replace(v_sql, '{' || v_name || '}', quote_literal(v_value));
  end loop;
  return v_sql;
end;
$$;

-- the rows that a statement reaches, or the SQLSTATE it ends with; it leaves no trace
create function pg_temp.probe(p_who text, p_sql text)
returns text
language plpgsql
as $$
declare
  v_sql constant text := pg_temp.fill_in(p_sql);
  v_rows bigint;
begin
  if p_who in ('anon', 'service_role') then
    perform tests.act_as_role(p_who);
  else
    perform tests.act_as((select (to_jsonb(t) ->> p_who)::uuid from t));
  end if;
  execute v_sql;
  get diagnostics v_rows = row_count;
  raise exception using errcode = 'TT000', message = v_rows;
exception
  when sqlstate 'TT000' then return sqlerrm;
  when others then return sqlstate;
end;
$$;

--------------------------------------------------------------------------------------------------
-- The matrix
--------------------------------------------------------------------------------------------------

-- '1' reaches the row, '0' sees none, and a dash stands for 42501: it is not granted, or a policy refuses it.
-- holder is a Tendril with the lease of {job}, idle one without; {…} are the columns of t.
create temporary table matrix on commit drop as
select q.table_name, m.*
from (values
  -- tables                    command   anon stra view oper admi owne hold idle serv  what follows the command's head
  ('accounts',                 'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'id = {account}'),
  ('accounts',                 'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (name) values ('x') $$),
  ('accounts',                 'update', '-', '0', '0', '0', '1', '1', '0', '0', '-', $$ name = 'x' where id = {account} $$),
  ('accounts',                 'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'id = {account}'),

  ('accounts_memberships',     'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', '(account_id, user_id) = ({account}, {owner})'),
  ('accounts_memberships',     'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (account_id, user_id, role) values ({account}, {stranger}, 'viewer') $$),
  ('accounts_memberships',     'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ role = 'owner' where (account_id, user_id) = ({account}, {admin}) $$),
  ('accounts_memberships',     'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', '(account_id, user_id) = ({account}, {viewer})'),

  ('accounts_invitations',     'select', '-', '0', '0', '0', '1', '1', '0', '0', '1', 'account_id = {account}'),
  ('accounts_invitations',     'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (account_id, email, role, invited_by, token_hash) values ({account}, 'x@y', 'viewer', {owner}, 'x') $$),
  ('accounts_invitations',     'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ role = 'owner' where account_id = {account} $$),
  ('accounts_invitations',     'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'account_id = {account}'),

  ('users',                    'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'auth_user_id = {owner}'),
  ('users',                    'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', ' (auth_user_id) values ({idle})'),
  ('users',                    'update', '-', '0', '0', '0', '0', '1', '0', '0', '-', $$ first_name = 'x' where auth_user_id = {owner} $$),
  ('users',                    'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'auth_user_id = {owner}'),

  ('cloud_identities',         'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'id = {identity}'),
  ('cloud_identities',         'insert', '-', '-', '-', '-', '1', '1', '-', '-', '-', $$ (account_id, provider, name) values ({account}, 'local', 'x') $$),
  ('cloud_identities',         'update', '-', '0', '0', '0', '1', '1', '0', '0', '-', $$ name = 'x' where id = {identity} $$),
  -- a vine runs in this one
  ('cloud_identities',         'delete', '-', '0', '0', '0', 'PT409', 'PT409', '0', '0', 'PT409', 'id = {identity}'),

  ('provider_tokens',          'select', '-', '0', '0', '0', '0', '1', '0', '0', '1', 'user_id = {owner}'),
  ('provider_tokens',          'insert', '-', '1', '1', '1', '1', '1', '-', '-', '-', $$ (provider, access_token) values ('gitlab', 'x') $$),
  ('provider_tokens',          'update', '-', '0', '0', '0', '0', '1', '0', '0', '-', $$ access_token = 'x' where user_id = {owner} $$),
  ('provider_tokens',          'delete', '-', '0', '0', '0', '0', '1', '0', '0', '1', 'user_id = {owner}'),

  ('vineyards',                'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'id = {vineyard}'),
  ('vineyards',                'insert', '-', '-', '-', '-', '1', '1', '-', '-', '-', $$ (account_id, name) values ({account}, 'x') $$),
  ('vineyards',                'update', '-', '0', '0', '0', '1', '1', '0', '0', '-', $$ name = 'x' where id = {vineyard} $$),
  ('vineyards',                'delete', '-', '0', '0', '0', '1', '1', '0', '0', '1', 'id = {vineyard}'),

  ('vines',                    'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'id = {vine}'),
  ('vines',                    'insert', '-', '-', '-', '1', '1', '1', '-', '-', '-', $$ (vineyard_id, project_name, region) values ({vineyard}, 'xx', 'x') $$),
  ('vines',                    'update', '-', '0', '0', '1', '1', '1', '0', '0', '-', $$ region = 'x' where id = {vine} $$),
  ('vines',                    'delete', '-', '0', '0', '1', '1', '1', '0', '0', '1', 'id = {vine}'),

  ('vine_network vine_cluster vine_dns vine_repositories vine_databases vine_caches vine_nosql_tables vine_queues vine_topics vine_container_registries vine_secrets',
                               'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'vine_id = {vine}'),
  ('vine_dns',                 'insert', '-', '-', '-', '1', '1', '1', '-', '-', '-', ' (vine_id, enabled) values ({bare}, false)'),
  ('vine_network vine_cluster vine_repositories',
                               'insert', '-', '-', '-', '1', '1', '1', '-', '-', '-', ' (vine_id) values ({bare})'),
  ('vine_databases vine_caches vine_queues vine_topics vine_container_registries vine_secrets',
                               'insert', '-', '-', '-', '1', '1', '1', '-', '-', '-', $$ (vine_id, name) values ({bare}, 'x') $$),
  ('vine_nosql_tables',        'insert', '-', '-', '-', '1', '1', '1', '-', '-', '-', $$ (vine_id, name, hash_key) values ({bare}, 'x', 'x') $$),
  ('vine_network',             'update', '-', '0', '0', '1', '1', '1', '0', '0', '-', $$ network_id = 'x' where vine_id = {vine} $$),
  ('vine_cluster',             'update', '-', '0', '0', '1', '1', '1', '0', '0', '-', 'cluster_admins = cluster_admins where vine_id = {vine}'),
  ('vine_dns',                 'update', '-', '0', '0', '1', '1', '1', '0', '0', '-', 'enabled = enabled where vine_id = {vine}'),
  ('vine_repositories',        'update', '-', '0', '0', '1', '1', '1', '0', '0', '-', $$ env_template_repo = 'x' where vine_id = {vine} $$),
  ('vine_databases vine_caches vine_nosql_tables vine_queues vine_topics vine_container_registries vine_secrets',
                               'update', '-', '0', '0', '1', '1', '1', '0', '0', '-', $$ name = 'x' where vine_id = {vine} $$),
  ('vine_network vine_cluster vine_dns vine_repositories vine_databases vine_caches vine_nosql_tables vine_queues vine_topics vine_container_registries vine_secrets',
                               'delete', '-', '0', '0', '1', '1', '1', '0', '0', '1', 'vine_id = {vine}'),

  ('job_types',                'select', '-', '1', '1', '1', '1', '1', '1', '1', '1', $$ job_type = 'PLAN' $$),
  ('job_types',                'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (job_type) values ('x') $$),
  ('job_types',                'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ priority = 1 where job_type = 'PLAN' $$),
  ('job_types',                'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ job_type = 'PLAN' $$),

  ('environment_defaults',     'select', '-', '3', '3', '3', '3', '3', '3', '3', '3', $$ component = 'cluster' $$),
  ('environment_defaults',     'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ values ('production', 'dns', '{}') $$),
  ('environment_defaults',     'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ settings = '{}' where true $$),
  ('environment_defaults',     'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'true'),

  ('worker_releases',          'select', '-', '1', '1', '1', '1', '1', '1', '1', '1', 'id = {release}'),
  ('worker_releases',          'insert', '-', '-', '-', '-', '-', '-', '-', '-', '1', $$ (version) values ('999.0.1') $$),
  ('worker_releases',          'update', '-', '-', '-', '-', '-', '-', '-', '-', '1', $$ release_notes = 'x' where id = {release} $$),
  ('worker_releases',          'delete', '-', '-', '-', '-', '-', '-', '-', '-', '1', 'id = {release}'),

  ('workers',                  'select', '-', '0', '1', '1', '1', '1', '1', '0', '1', 'id = {holder}'),
  ('workers',                  'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (id, user_id, name, token_hash) values ({stranger}, {owner}, 'x', 'x') $$),
  ('workers',                  'update', '-', '0', '0', '0', '0', '1', '0', '0', '-', $$ name = 'x' where id = {holder} $$),
  ('workers',                  'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'id = {holder}'),

  ('provision_jobs',           'select', '-', '0', '1', '1', '1', '1', '1', '0', '1', 'id = {job}'),
  ('provision_jobs',           'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (account_id, vine_id, job_type) values ({account}, {vine}, 'PLAN') $$),
  ('provision_jobs',           'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ status = 'PROCESSING' where id = {job} $$),
  ('provision_jobs',           'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'id = {job}'),

  ('provision_job_logs',       'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', 'job_id = {job} and seq = 1'),
  ('provision_job_logs',       'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (account_id, job_id, seq, log_chunk, stream_type) values ({account}, {job}, 9, 'x', 'STDOUT') $$),
  ('provision_job_logs',       'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ log_chunk = 'x' where job_id = {job} $$),
  ('provision_job_logs',       'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'job_id = {job}'),

  ('vine_audit_log',           'select', '-', '0', '1', '1', '1', '1', '0', '0', '1', $$ vine_id = {vine} and component_type = 'vine' $$),
  ('vine_audit_log',           'insert', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ (account_id, vine_ref, action, component_type, component_id) values ({account}, {vine}, 'CREATED', 'vine', {vine}) $$),
  ('vine_audit_log',           'update', '-', '-', '-', '-', '-', '-', '-', '-', '-', $$ changes = '{}' where vine_id = {vine} $$),
  ('vine_audit_log',           'delete', '-', '-', '-', '-', '-', '-', '-', '-', '-', 'vine_id = {vine}')
) as m (tables, command, anon, stranger, viewer, operator, admin, owner, holder, idle, service_role, rest)
cross join lateral regexp_split_to_table(m.tables, ' ') as s (name)
-- one of another schema than public is named with it
cross join lateral (select case when s.name like '%.%' then s.name else 'public.' || s.name end) as q (table_name);

select is_empty($$
  select m.table_name, m.command, w.who, w.wanted, p.got
  from matrix as m
  cross join lateral (values
    ('anon', m.anon), ('stranger', m.stranger), ('viewer', m.viewer), ('operator', m.operator), ('admin', m.admin),
    ('owner', m.owner), ('holder', m.holder), ('idle', m.idle), ('service_role', m.service_role)
  ) as w (who, wanted)
  cross join lateral (select pg_temp.probe(w.who, format(case m.command
    when 'select' then 'select from %s where %s'
    when 'insert' then 'insert into %s %s'
    when 'update' then 'update %s set %s'
    when 'delete' then 'delete from %s where %s'
  end, m.table_name, m.rest))) as p (got)
  where p.got <> replace(w.wanted, '-', '42501')
$$, 'everyone reaches what the matrix says');
select set_eq($$
  select table_name, command from matrix
$$, $$
  select n.nspname || '.' || c.relname, k.command
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  cross join (values ('select'), ('insert'), ('update'), ('delete')) as k (command)
  where n.nspname in ('public', 'cloud') and c.relkind in ('r', 'p', 'v', 'm', 'f')
$$, 'and it says it of every exposed table and command');
select is((select count(*) from matrix), (select count(distinct (table_name, command)) from matrix), 'once');

--------------------------------------------------------------------------------------------------
-- What clients may write, and call
--------------------------------------------------------------------------------------------------

create temporary table writable on commit drop as
select w.table_name, w.command, c.name as column_name
from (values
  ('accounts',                  'update', 'name'),
  ('users',                     'update', 'first_name last_name'),
  ('cloud_identities',          'insert', 'account_id provider name credentials'),
  ('cloud_identities',          'update', 'name credentials'),
  ('provider_tokens',           'insert', 'provider access_token refresh_token expires_at'),
  ('provider_tokens',           'update', 'access_token refresh_token expires_at'),
  ('vineyards',                 'insert', 'account_id name description requires_approval'),
  ('vineyards',                 'update', 'name description requires_approval'),
  ('vines',                     'insert', 'vineyard_id cloud_identity_id project_name environment_stage region terraform_version'),
  ('vines',                     'update', 'cloud_identity_id project_name environment_stage region terraform_version'),
  ('vine_network',              'insert', 'vine_id provision_network network_id cidr_block single_nat_gateway allowed_cidr_blocks'),
  ('vine_network',              'update', 'provision_network network_id cidr_block single_nat_gateway allowed_cidr_blocks'),
  ('vine_cluster',              'insert', 'vine_id cluster_version provider_config cluster_admins instance_types node_min_size node_max_size node_desired_size'),
  ('vine_cluster',              'update', 'cluster_version provider_config cluster_admins instance_types node_min_size node_max_size node_desired_size'),
  ('vine_dns',                  'insert', 'vine_id enabled zone_id domain_name managed_certificate waf_enabled provider_config'),
  ('vine_dns',                  'update', 'enabled zone_id domain_name managed_certificate waf_enabled provider_config'),
  ('vine_repositories',         'insert', 'vine_id env_template_repo env_template_branch env_destination_repo gitops_template_repo gitops_template_branch gitops_destination_repo apps_template_repo apps_template_branch apps_destination_repo'),
  ('vine_repositories',         'update', 'env_template_repo env_template_branch env_destination_repo gitops_template_repo gitops_template_branch gitops_destination_repo apps_template_repo apps_template_branch apps_destination_repo'),
  ('vine_databases',            'insert', 'vine_id name engine engine_version min_capacity max_capacity port backup_retention_days iam_auth'),
  ('vine_databases',            'update', 'name engine engine_version min_capacity max_capacity port backup_retention_days iam_auth'),
  ('vine_caches',               'insert', 'vine_id name engine node_type num_cache_nodes multi_az allowed_cidr_blocks'),
  ('vine_caches',               'update', 'name engine node_type num_cache_nodes multi_az allowed_cidr_blocks'),
  ('vine_nosql_tables',         'insert', 'vine_id name table_type hash_key hash_key_type range_key range_key_type billing_mode point_in_time_recovery provider_config'),
  ('vine_nosql_tables',         'update', 'name table_type hash_key hash_key_type range_key range_key_type billing_mode point_in_time_recovery provider_config'),
  ('vine_queues',               'insert', 'vine_id name fifo visibility_timeout message_retention delay_seconds'),
  ('vine_queues',               'update', 'name fifo visibility_timeout message_retention delay_seconds'),
  ('vine_topics',               'insert', 'vine_id name subscriptions'),
  ('vine_topics',               'update', 'name subscriptions'),
  ('vine_container_registries', 'insert', 'vine_id name image_tag_mutability scan_on_push provider_config'),
  ('vine_container_registries', 'update', 'name image_tag_mutability scan_on_push provider_config'),
  ('vine_secrets',              'insert', 'vine_id name generate length special_chars'),
  ('vine_secrets',              'update', 'name generate length special_chars'),
  ('workers',                   'update', 'name')
) as w (table_name, command, columns)
cross join lateral regexp_split_to_table(w.columns, ' ') as c (name);

select set_eq($$
  select case when table_name like '%.%' then table_name else 'public.' || table_name end, command, column_name from writable
$$, $$
  select n.nspname || '.' || c.relname, k.command, a.attname
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  cross join (values ('insert'), ('update')) as k (command)
  where n.nspname in ('public', 'cloud') and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and has_column_privilege('authenticated', c.oid, a.attnum, k.command)
$$, 'users write these columns and no other');
select is_empty($$
  select c.oid::regclass, a.attname
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace in ('public'::regnamespace, 'cloud'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and has_any_column_privilege('authenticated', c.oid, 'select') and not has_column_privilege('authenticated', c.oid, a.attnum, 'select')
$$, 'and read whole rows: a hidden column would break select=*');

create temporary table callable on commit drop as
select f.name as function_name, c.who
from (values
  ('authenticated', 'accept_invitation'),
  ('authenticated', 'append_job_logs'),
  ('authenticated', 'apply_manifest'),
  ('authenticated', 'approve_job'),
  ('authenticated', 'cancel_job'),
  ('authenticated', 'claim_next_job'),
  ('authenticated', 'complete_job'),
  ('authenticated', 'create_account'),
  ('authenticated', 'delete_account'),
  ('authenticated', 'enqueue_identity_job'),
  ('authenticated', 'drain_tendril'),
  ('authenticated', 'enqueue_job'),
  ('authenticated', 'get_job_context'),
  ('authenticated', 'get_saved_plan'),
  ('authenticated', 'get_terraform_state'),
  ('authenticated', 'heartbeat'),
  ('authenticated', 'invite_member'),
  ('authenticated', 'is_outdated'),
  ('authenticated', 'lock_terraform_state'),
  ('authenticated', 'name_prefix state_path'),
  ('authenticated', 'plan_expires_at'),
  ('authenticated', 'newest_worker_release'),
  ('authenticated', 'plant_vine'),
  ('authenticated', 'push_terraform_state'),
  ('authenticated', 'put_saved_plan'),
  ('authenticated', 'put_terraform_state'),
  ('authenticated', 'register_tendril'),
  ('authenticated', 'reject_job'),
  ('authenticated', 'remove_member'),
  ('authenticated', 'restore_terraform_state'),
  ('authenticated', 'retry_job'),
  ('authenticated', 'remove_tendril'),
  ('authenticated', 'revoke_invitation'),
  ('authenticated', 'rotate_tendril_token'),
  ('authenticated', 'set_member_role'),
  ('authenticated', 'reveal_argocd_admin_password'),
  ('authenticated', 'reveal_credentials'),
  ('authenticated', 'reveal_provider_token'),
  ('authenticated', 'start_job'),
  ('authenticated', 'terraform_state_versions'),
  ('authenticated', 'transfer_ownership'),
  ('authenticated', 'unlock_terraform_state'),
  ('authenticated', 'waiting_on'),
  ('service_role',  'name_prefix state_path'),
  ('service_role',  'waiting_on'),
  ('service_role',  'delete_old_job_logs'),
  ('service_role',  'drain_tendril'),
  ('service_role',  'is_outdated'),
  ('service_role',  'newest_worker_release'),
  ('service_role',  'reencrypt_batch'),
  ('service_role',  'register_cloud_tendril'),
  ('service_role',  'remove_tendril'),
  ('service_role',  'retire_encryption_keys'),
  ('service_role',  'rotate_encryption_key'),
  ('service_role',  'rotate_tendril_token')
) as c (who, names)
cross join lateral regexp_split_to_table(c.names, ' ') as f (name);

select set_eq($$
  select case when function_name like '%.%' then function_name else 'public.' || function_name end, who from callable
$$, $$
  select n.nspname || '.' || f.proname, case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
  from pg_proc as f
  join pg_namespace as n on n.oid = f.pronamespace
  cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
  where n.nspname in ('public', 'cloud') and a.grantee <> f.proowner
$$, 'each function is called by whom the list says');

select results_eq($$
  select w.who, pg_temp.probe(w.who, $sql$ select public.enqueue_job({vine}, 'PLAN') $sql$)
  from unnest('{anon,stranger,viewer,operator,admin,owner,holder,idle,service_role}'::text[]) with ordinality as w (who, place)
  order by w.place
$$, $$
  values ('anon', '42501'), ('stranger', 'PT404'), ('viewer', 'PT403'), ('operator', '1'), ('admin', '1'), ('owner', '1'),
         ('holder', 'PT404'), ('idle', 'PT404'), ('service_role', '42501')
$$, 'a function judges its caller by the same roles');
create temporary table other on commit drop as select tests.plant(stranger) as vine from t;
grant select on other to public;
select is(pg_temp.probe('stranger', 'update public.vines set cloud_identity_id = {identity} where id = (select vine from other)'),
  'PT404', 'a vine runs in no stranger''s cloud');
select is(pg_temp.probe('stranger', 'update public.vines set region = region where id = (select vine from other)'), '1', 'but in one''s own');

select is_empty($$
  select c.sql, pg_temp.probe('holder', c.sql) as got, c.wanted
  from (values
    ('insert into public.vineyards (name) values (''x'')', '42501'),
    ('insert into public.cloud_identities (provider, name) values (''local'', ''x'')', '42501'),
    ('select public.create_account(''x'')', 'PT403'),
    ('select public.accept_invitation(''x'')', 'PT403'),
    ('select public.invite_member({account}, ''x@example.com'', ''viewer'')', 'PT403'),
    ('select public.set_member_role({account}, {holder}, ''owner'')', 'PT403'),
    ('select public.transfer_ownership({account}, {holder})', 'PT403'),
    ('select public.remove_member({account}, {admin})', 'PT403'),
    ('select public.delete_account({account})', 'PT403'),
    ('select public.register_tendril(''x'')', 'PT403'),
    ('select public.rotate_tendril_token({holder})', 'PT404'),
    ('select public.drain_tendril({holder})', 'PT404'),
    ('select public.remove_tendril({idle})', 'PT404'),
    ('select public.plant_vine(jsonb_build_object(''vineyard_id'', {vineyard}, ''project_name'', ''xx'', ''region'', ''x''))', 'PT404'),
    ('select public.apply_manifest(''{"name": "x", "vines": []}'')', 'PT404'),
    ('select public.enqueue_identity_job({identity}, ''CONNECTION_TEST'')', 'PT404'),
    ('select public.cancel_job({job})', 'PT404'),
    ('select public.retry_job({job})', 'PT404'),
    ('select public.approve_job({job})', 'PT404'),
    ('select public.reject_job({job}, ''x'')', 'PT404'),
    ('select public.push_terraform_state({vine}, ''{}'')', 'PT404'),
    ('select public.restore_terraform_state({vine}, 1)', 'PT404'),
    ('select public.reveal_credentials({identity})', 'PT404'),
    ('select public.reveal_argocd_admin_password({vine})', 'PT404')
  ) as c (sql, wanted)
  where pg_temp.probe('holder', c.sql) <> c.wanted
$$, 'a Tendril is nobody but a Tendril, even with the lease');

-- a computed field is given a row, and who gives it may have made it up
select tests.act_as((select stranger from t));
select public.enqueue_job((select vine from other), 'PLAN');
select tests.act_as_owner();
create temporary table made_up on commit drop as
select k.about, j.* from public.provision_jobs as q
cross join lateral (values ('a job', q.id), ('no job', gen_random_uuid())) as k (about, job_id)
cross join lateral jsonb_populate_record(null::public.provision_jobs, jsonb_build_object('id', k.job_id, 'status', 'QUEUED', 'approval_required', false)) as j
where q.vine_id = (select vine from other);
grant select on made_up to public;
create function pg_temp.waiting_on(p_who text, p_about text) returns text language sql as $$
  select tests.outcome((select (to_jsonb(t) ->> p_who)::uuid from t), format(
    'select public.waiting_on(j) from made_up as m cross join lateral jsonb_populate_record(null::public.provision_jobs, to_jsonb(m)) as j where about = %L', p_about)) $$;
select is(pg_temp.waiting_on('stranger', 'a job'), 'tendril', 'a member learns what a job waits for');
select is(pg_temp.waiting_on('owner', 'a job'), pg_temp.waiting_on('owner', 'no job'), 'others not even whether there is one');

--------------------------------------------------------------------------------------------------
-- What is closed to all
--------------------------------------------------------------------------------------------------

select is_empty($$
  select c.oid::regclass, r.name, p.privilege_type
  from pg_class as c
  cross join (values ('anon'), ('authenticated'), ('service_role')) as r (name)
  cross join (values ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')) as p (privilege_type)
  where c.relkind in ('r', 'v', 'm', 'p') and has_table_privilege(r.name, c.oid, p.privilege_type) and (
    c.relnamespace = 'private'::regnamespace
      and not (c.relname = 'component_kinds' and r.name = 'authenticated' and p.privilege_type = 'SELECT')
      and not (c.relname = 'own_memberships' and r.name <> 'anon' and p.privilege_type = 'SELECT')
    or c.relnamespace in ('public'::regnamespace, 'cloud'::regnamespace)
      and p.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
  )
$$, 'private tables are closed but for the kinds of components and the own memberships, and nobody truncates');
select set_eq($$
  select w.who, pg_temp.probe(w.who, 'select from private.own_memberships')
  from unnest('{anon,stranger,viewer,operator,admin,owner,holder,idle,service_role}'::text[]) as w (who)
$$, $$ values
  -- a personal account each, and the owner's
  ('anon', '42501'), ('stranger', '1'), ('viewer', '2'), ('operator', '2'), ('admin', '2'), ('owner', '1'),
  ('holder', '0'), ('idle', '0'), ('service_role', '0')
$$, 'own memberships are the caller''s own');
select is_empty($$
  select f.oid::regprocedure from pg_proc as f
  where f.pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'cloud'::regnamespace)
    and has_function_privilege('anon', f.oid, 'EXECUTE')
$$, 'anon runs no function');
select is_empty($$
  select r.who, r.got from (
    select w.who, pg_temp.probe(w.who, $sql$ select private.encryption_key('1') $sql$) as got
    from unnest('{anon,stranger,viewer,operator,admin,owner,holder,idle,service_role}'::text[]) as w (who)
  ) as r where r.got <> '42501'
$$, 'the key is out of everyone''s reach');

--------------------------------------------------------------------------------------------------
-- Tokens that hold nonsense
--------------------------------------------------------------------------------------------------

create temporary table inserts on commit drop as
select format('insert into %s %s', table_name, pg_temp.fill_in(rest)) as statement from matrix where command = 'insert';
grant select on inserts to public;

-- whatever such a caller reaches by any statement that the grants leave to try, and every error but a refusal
create function pg_temp.reached_with_claims(p_claims text)
returns setof text
language plpgsql
as $$
declare
  v_table regclass;
  v_column name;
  v_statements text[] := array(select statement from inserts);
  v_sql text;
  v_rows bigint;
begin
  perform set_config('request.jwt.claims', p_claims, true);
  perform set_config('role', 'authenticated', true);
  for v_table, v_column in
    select c.oid::regclass,
           (select min(a.attname) from pg_attribute as a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and has_column_privilege(c.oid, a.attnum, 'update'))
    from pg_class as c
    where c.relnamespace in ('public'::regnamespace, 'cloud'::regnamespace) and c.relkind in ('r', 'p', 'v', 'm', 'f')
  loop
    v_statements := v_statements || array_remove(array[
      case when has_table_privilege(v_table, 'select') then format('select from %s', v_table) end,
      case when has_table_privilege(v_table, 'delete') then format('delete from %s where true', v_table) end,
      case when v_column is not null then format('update %1$s set %2$I = %2$I where true', v_table, v_column) end
    ], null);
  end loop;
  foreach v_sql in array v_statements loop
    begin
      execute v_sql;
      get diagnostics v_rows = row_count;
      raise exception using errcode = 'TT000', message = v_rows;
    exception
      when insufficient_privilege then
        null;
      when others then
        if sqlerrm <> '0' then
          return next v_sql || ': ' || sqlerrm;
        end if;
    end;
  end loop;
  perform tests.act_as_owner();
end;
$$;
create temporary table nonsense on commit drop as
select s.claims, r.found
from (
  select json_build_object('role', 'authenticated', 'sub', s.sub)::text
  from (values
    ('""'::json), ('null'), ('"abc"'), ('42'), ('1e400'), ('true'), ('{"a": 1}'), ('["00000000-0000-0000-0000-000000000000"]'),
    ('"00000000-0000-0000-0000-00000000000"'), ('"{00000000-0000-0000-0000-000000000000}"'),
    ('"00000000-0000-0000-0000-000000000000\n"'), ($s$"' or true; --"$s$),
    ($s$"00000000-0000-0000-0000-000000000000' or '1'='1"$s$), (to_json(repeat('a', 100000)))
  ) as s (sub)
  -- as Auth never writes it
  union all select json_build_object('role', 'authenticated', 'sub', upper(owner::text))::text from t
  union all values ('{"role": "authenticated"}'), ('{}'), ('[]'), ('"text"'), ('null'), ('')
) as s (claims)
cross join lateral pg_temp.reached_with_claims(s.claims) as r (found);
select is_empty($$
  select left(claims, 100), found from nonsense
  where found !~ '^select from (worker_releases|job_types|environment_defaults): '
$$, 'a sub that is no user''s reaches nobody''s rows, and raises nothing');
select is((select count(*)::int from nonsense where found like 'select from worker_releases: %'), 21, 'what is everyone''s can still be read');
select bag_has(
  format('select found from pg_temp.reached_with_claims(%L) as r (found)', json_build_object('role', 'authenticated', 'sub', owner)),
  $$ values ('select from vines: 2'), ('delete from vineyards where true: 2') $$, 'a real one reaches its own') from t;

select * from finish();
rollback;
