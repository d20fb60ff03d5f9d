-- apply_manifest: a vineyard comes to the described state, and the difference is told.
begin;
select plan(37);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('admin') as admin, tests.sign_up('operator') as operator,
       tests.sign_up('viewer') as viewer, tests.sign_up('stranger') as stranger
from (select tests.sign_up('owner') as id) as o;
select tests.join_account(owner, viewer, 'viewer'), tests.join_account(owner, operator, 'operator'),
       tests.join_account(owner, admin, 'admin') from t;
alter table t add account uuid, add identity uuid;
update t set account = a.id from public.accounts as a where a.personal_user_id = t.owner;
with made as (
  insert into public.cloud_identities (account_id, provider, name) select account, 'local', 'here' from t returning id
) update t set identity = made.id from made;
grant select on t to public;
create temporary table wanted (manifest jsonb) on commit drop;
insert into wanted select jsonb_build_object('account_id', account, 'name', 'webshop', 'vines', jsonb_build_array(
  jsonb_build_object('project_name', 'shop', 'environment_stage', 'staging', 'region', 'eu-west-1', 'cloud_identity_id', identity)
    || '{"network": {}, "databases": [{"name": "orders", "port": 5433}, {"name": "reports"}]}',
  '{"project_name": "blog", "region": "eu-west-1", "secrets": [{"name": "key"}]}'::jsonb)) from t;
grant select, update on wanted to public;
create function pg_temp.apply(p_dry_run boolean default false) returns jsonb language sql as $$
  select public.apply_manifest(manifest, p_dry_run) from wanted $$;
create function pg_temp.rows() returns table (label text, kind text, config jsonb) language sql as $$
  select v.project_name || '/' || v.environment_stage, c.key, c.value
  from public.vines as v cross join jsonb_each(private.describe_components(v.id)) as c
  where v.vineyard_id in (select id from public.vineyards where account_id = (select account from t) and name = 'webshop')
    and c.value not in ('null', '[]') $$;

--------------------------------------------------------------------------------------------------
-- From nothing
--------------------------------------------------------------------------------------------------

select tests.act_as((select owner from t));
select is(pg_temp.apply(true), '{
  "create": [
    {"type": "vineyard", "name": "webshop"},
    {"type": "vine", "vine": "blog/development"},
    {"type": "secret", "vine": "blog/development", "name": "key"},
    {"type": "vine", "vine": "shop/staging"},
    {"type": "database", "vine": "shop/staging", "name": "orders"},
    {"type": "database", "vine": "shop/staging", "name": "reports"},
    {"type": "network", "vine": "shop/staging"}
  ], "change": [], "remove": [], "needs_destroy": []}', 'a dry run tells what would be made');
select is((select count(*)::int from public.vineyards where account_id = (select account from t)), 0, 'and makes nothing');
create temporary table told on commit drop as select pg_temp.apply() as difference;
select is(jsonb_array_length(difference -> 'create'), 7, 'a real one makes it') from told;
select is(pg_temp.apply(), '{"create": [], "change": [], "remove": [], "needs_destroy": []}', 'a second one finds nothing to do');
select tests.act_as_owner();
select results_eq($$ select label, kind, config #>> '{0,port}', config #>> '{0,max_capacity}' from pg_temp.rows() where kind <> 'secrets' order by 1, 2 $$,
  $$ values ('shop/staging', 'databases', '5433', '4'), ('shop/staging', 'network', null, null) $$, 'it stands, sizes by its stage');
select is((select cloud_identity_id from public.vines where project_name = 'shop' and vineyard_id = (select id from public.vineyards where account_id = (select account from t))),
  (select identity from t), 'and runs where it should');

--------------------------------------------------------------------------------------------------
-- From something else
--------------------------------------------------------------------------------------------------

select tests.act_as((select operator from t));
update public.vine_databases set port = 1, max_capacity = 9 where name = 'orders';
delete from public.vine_databases where name = 'reports';
insert into public.vine_queues (vine_id, name) select id, 'mail' from public.vines where project_name = 'shop';
insert into public.vines (vineyard_id, project_name, region) select id, 'draft', 'eu-west-1' from public.vineyards where name = 'webshop';
update public.vines set terraform_version = '1.12.0', region = 'us-east-1' where project_name = 'blog';
select is(pg_temp.apply(true), '{
  "create": [{"type": "database", "vine": "shop/staging", "name": "reports"}],
  "change": [
    {"type": "vine", "vine": "blog/development", "changes": {"region": {"before": "us-east-1", "after": "eu-west-1"}}},
    {"type": "database", "vine": "shop/staging", "name": "orders",
     "changes": {"port": {"before": 1, "after": 5433}, "max_capacity": {"before": 9, "after": 4}}}
  ],
  "remove": [{"type": "queue", "vine": "shop/staging", "name": "mail"}, {"type": "vine", "vine": "draft/development"}],
  "needs_destroy": []}', 'what a component''s manifest leaves out has its default; what a vine''s leaves out stays');
create temporary table before_apply on commit drop as select id, name from public.vine_databases where name = 'orders';
select lives_ok('select pg_temp.apply()', 'an operator applies');
select is((select id from public.vine_databases where name = 'orders'), (select id from before_apply), 'what is changed is not made anew');
select is(pg_temp.apply(), '{"create": [], "change": [], "remove": [], "needs_destroy": []}', 'and once is enough');
select is((select terraform_version from public.vines where project_name = 'blog'), '1.12.0', 'a vine keeps what is not spoken of');

--------------------------------------------------------------------------------------------------
-- Vines that have resources
--------------------------------------------------------------------------------------------------

select tests.act_as_owner();
create temporary table ids on commit drop as
select v.id, v.project_name from public.vines as v join public.vineyards as y on y.id = v.vineyard_id where y.account_id = (select account from t);
grant select on ids to public;
create function pg_temp.force(p_project text, p_status public.vine_status) returns void language plpgsql as $$
begin
  set local session_replication_role = replica;
  update public.vines set status = p_status where id = (select id from ids where project_name = p_project);
  set local session_replication_role = origin;
end;
$$;
select pg_temp.force('blog', 'ACTIVE');
update wanted set manifest = jsonb_set(manifest, '{vines}', (manifest -> 'vines') - 1);
select tests.act_as((select operator from t));
select is(pg_temp.apply(), '{"create": [], "change": [], "remove": [],
  "needs_destroy": [{"type": "vine", "vine": "blog/development", "status": "ACTIVE"}]}', 'one whose resources exist is not removed');
select is((select count(*)::int from public.vine_secrets where name = 'key'), 1, 'nor touched');
select tests.act_as_owner();
create function pg_temp.is_removed_when(p_status public.vine_status) returns boolean language plpgsql as $$
declare
  v_difference jsonb;
begin
  perform pg_temp.force('blog', p_status);
  perform tests.act_as((select operator from t));
  v_difference := pg_temp.apply(true);
  perform tests.act_as_owner();
  return jsonb_array_length(v_difference -> 'remove') = 1 and v_difference -> 'needs_destroy' = '[]';
end;
$$;
select is((select array_agg(s) from unnest(enum_range(null::public.vine_status)) as s where pg_temp.is_removed_when(s)),
  '{DRAFT,DESTROYED}', 'only DRAFT and DESTROYED ones are removed');
select pg_temp.force('blog', 'DESTROYED');
update wanted set manifest = jsonb_set(manifest, '{vines,1}', '{"project_name": "blog", "region": "eu-west-1"}');
select tests.act_as((select operator from t));
select is(pg_temp.apply(), '{"create": [{"type": "vine", "vine": "blog/development"}], "change": [], "remove": [], "needs_destroy": []}',
  'a destroyed one is a record: another takes its place');
select is(pg_temp.apply(), '{"create": [], "change": [], "remove": [], "needs_destroy": []}', 'beside it');
update wanted set manifest = jsonb_set(manifest, '{vines}', (manifest -> 'vines') - 1);
select is(pg_temp.apply() -> 'remove', '[{"type": "vine", "vine": "blog/development"}, {"type": "vine", "vine": "blog/development"}]',
  'and both go when the name does');
select tests.act_as_owner();
select pg_temp.force('shop', 'ACTIVE');
update wanted set manifest = jsonb_set(manifest, '{vines,0,region}', '"us-east-1"');
select tests.act_as((select operator from t));
select throws_ok('select pg_temp.apply()', 'PT409', null, 'what is fixed stays fixed');
update wanted set manifest = jsonb_set(manifest, '{vines,0,region}', '"eu-west-1"');
update wanted set manifest = jsonb_set(manifest, '{vines,0,network}', '{"provision_network": false, "network_id": "vpc-1"}');
select is(pg_temp.apply() -> 'change', '[{"type": "network", "vine": "shop/staging", "changes": {
  "network_id": {"after": "vpc-1"}, "provision_network": {"before": true, "after": false}}}]', 'components of one that is ACTIVE change');
select tests.act_as_owner();
update wanted set manifest = jsonb_set(manifest, '{vines,0,network}', '{"cidr_block": "10.9.0.0/16"}');
select tests.act_as((select operator from t));
select is(pg_temp.apply() #> '{change,0,changes,network_id}', '{"before": "vpc-1"}', 'a network that is to be made has no id yet');
select tests.act_as_owner();
update public.vine_network set network_id = 'vpc-made' where vine_id = (select id from ids where project_name = 'shop');
update wanted set manifest = jsonb_set(manifest, '{vines,0,network}', '{}');
select tests.act_as((select operator from t));
select is(pg_temp.apply() -> 'change' -> 0 -> 'changes', '{"cidr_block": {"before": "10.9.0.0/16", "after": "10.0.0.0/16"}}', 'and keeps the one it was given');
select is((select network_id from public.vine_network where vine_id = (select id from ids where project_name = 'shop')), 'vpc-made', 'through a change');

--------------------------------------------------------------------------------------------------
-- Who, and what is refused
--------------------------------------------------------------------------------------------------

select tests.act_as((select stranger from t));
select throws_ok('select pg_temp.apply()', 'PT404', null, 'a stranger has no such account');
select tests.act_as_owner();
update wanted set manifest = jsonb_set(manifest, '{vines,0,network}', '{"cidr_block": "10.8.0.0/16"}');
select tests.act_as((select viewer from t));
select throws_ok('select pg_temp.apply()', 'PT403', null, 'a viewer changes nothing');
select throws_ok('select pg_temp.apply(true)', 'PT403', null, 'nor would');
select tests.act_as((select operator from t));
update wanted set manifest = manifest || '{"description": "the shop"}';
select throws_ok('select pg_temp.apply()', 'PT403', null, 'the vineyard itself is for admins');
select tests.act_as((select admin from t));
select is(pg_temp.apply() #> '{change,0}', '{"type": "vineyard", "name": "webshop", "changes": {"description": {"after": "the shop"}}}', 'who may change it');
update wanted set manifest = jsonb_set(manifest, '{vines,0,databases,0,port}', '0') || '{"name": "other"}';
select throws_ok('select pg_temp.apply()', 'PT400', 'shop/staging.databases.orders: port must be 1 to 65535.', 'one wrong value');
select is((select count(*)::int from public.vineyards where name = 'other'), 0, 'and nothing of it is written');

select throws_ok(format('select public.apply_manifest(%L)', m), 'PT400', s, s)
from (values
  ('null'::jsonb, 'manifest: an object is wanted.'),
  ('{"name": "x"}', 'vines: a list is wanted.'),
  ('{"vines": []}', 'name: this key is needed.'),
  ('{"name": "x", "vines": [], "stage": 1}', 'stage: there is no such key; there are account_id, name, description, vines.'),
  ('{"name": "x", "vines": [{"project_name": "x"}]}', 'vines[1].region: this key is needed.'),
  ('{"name": "x", "vines": [{"project_name": "xx", "region": "r", "vineyard_id": "y"}]}', 'vines[1].vineyard_id: there is no such key; there are cloud_identity_id, project_name, environment_stage, region, terraform_version, caches, cluster, container_registries, databases, dns, network, nosql_tables, queues, repositories, secrets, topics.'),
  ('{"name": "x", "vines": [{"project_name": "xx", "region": "r"}, {"project_name": "xx", "region": "q", "environment_stage": "development"}]}', 'vines.xx/development: this vine stands more than once.'),
  ('{"name": "x", "vines": [{"project_name": "xx", "region": "r", "caches": [{"name": "a", "multi_az": 1}]}]}', 'vines[1].caches.a.multi_az: true or false is wanted, not 1.')
) as w (m, s);

select * from finish();
rollback;
