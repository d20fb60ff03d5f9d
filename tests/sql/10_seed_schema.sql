-- Every table, column, type, enum, unique rule and foreign key that the schema was asked for.
begin;
select plan(5);

create temporary table wanted (table_name text, column_name text, type text) on commit drop;
insert into wanted
select split_part(c, ' ', 1), split_part(c, ' ', 2), split_part(c, ' ', 3)
from unnest(string_to_array(trim($list$
vineyards id uuid
vineyards user_id uuid
vineyards name text
vineyards description text
vineyards created_at timestamptz
vineyards updated_at timestamptz
vines id uuid
vines user_id uuid
vines vineyard_id uuid
vines cloud_identity_id uuid
vines project_name text
vines environment_stage environment_stage
vines region text
vines terraform_version text
vines status vine_status
vines estimated_monthly_cost numeric
vines created_at timestamptz
vines updated_at timestamptz
cloud_identities id uuid
cloud_identities user_id uuid
cloud_identities provider text
cloud_identities name text
cloud_identities credentials jsonb
cloud_identities is_verified bool
cloud_identities created_at timestamptz
cloud_identities updated_at timestamptz
provider_tokens id uuid
provider_tokens user_id uuid
provider_tokens provider text
provider_tokens access_token text
provider_tokens refresh_token text
provider_tokens expires_at timestamptz
vine_network id uuid
vine_network vine_id uuid
vine_network provision_network bool
vine_network network_id text
vine_network cidr_block text
vine_network single_nat_gateway bool
vine_network allowed_cidr_blocks _text
vine_network status component_status
vine_network estimated_monthly_cost numeric
vine_cluster id uuid
vine_cluster vine_id uuid
vine_cluster cluster_version text
vine_cluster provider_config jsonb
vine_cluster cluster_admins jsonb
vine_cluster instance_types _text
vine_cluster node_min_size int4
vine_cluster node_max_size int4
vine_cluster node_desired_size int4
vine_cluster status component_status
vine_cluster cluster_name text
vine_cluster cluster_endpoint text
vine_cluster cluster_arn text
vine_cluster argocd_url text
vine_cluster argocd_admin_password text
vine_dns id uuid
vine_dns vine_id uuid
vine_dns enabled bool
vine_dns zone_id text
vine_dns domain_name text
vine_dns managed_certificate bool
vine_dns waf_enabled bool
vine_dns provider_config jsonb
vine_dns status component_status
vine_repositories id uuid
vine_repositories vine_id uuid
vine_repositories env_template_repo text
vine_repositories env_template_branch text
vine_repositories env_destination_repo text
vine_repositories gitops_template_repo text
vine_repositories gitops_template_branch text
vine_repositories gitops_destination_repo text
vine_repositories apps_template_repo text
vine_repositories apps_template_branch text
vine_repositories apps_destination_repo text
vine_databases id uuid
vine_databases vine_id uuid
vine_databases name text
vine_databases engine text
vine_databases engine_version text
vine_databases min_capacity numeric
vine_databases max_capacity numeric
vine_databases port int4
vine_databases backup_retention_days int4
vine_databases iam_auth bool
vine_databases status component_status
vine_databases endpoint text
vine_databases reader_endpoint text
vine_databases cluster_identifier text
vine_databases master_credentials_secret_arn text
vine_caches id uuid
vine_caches vine_id uuid
vine_caches name text
vine_caches engine cache_engine
vine_caches node_type text
vine_caches num_cache_nodes int4
vine_caches multi_az bool
vine_caches allowed_cidr_blocks _text
vine_caches status component_status
vine_caches endpoint text
vine_caches estimated_monthly_cost numeric
vine_nosql_tables id uuid
vine_nosql_tables vine_id uuid
vine_nosql_tables name text
vine_nosql_tables table_type nosql_table_type
vine_nosql_tables hash_key text
vine_nosql_tables hash_key_type nosql_key_type
vine_nosql_tables range_key text
vine_nosql_tables range_key_type nosql_key_type
vine_nosql_tables billing_mode nosql_billing_mode
vine_nosql_tables point_in_time_recovery bool
vine_nosql_tables provider_config jsonb
vine_nosql_tables status component_status
vine_queues id uuid
vine_queues vine_id uuid
vine_queues name text
vine_queues fifo bool
vine_queues visibility_timeout int4
vine_queues message_retention int4
vine_queues delay_seconds int4
vine_queues status component_status
vine_topics id uuid
vine_topics vine_id uuid
vine_topics name text
vine_topics subscriptions jsonb
vine_topics status component_status
vine_container_registries id uuid
vine_container_registries vine_id uuid
vine_container_registries name text
vine_container_registries image_tag_mutability registry_tag_mutability
vine_container_registries scan_on_push bool
vine_container_registries repository_url text
vine_container_registries provider_config jsonb
vine_container_registries status component_status
vine_secrets id uuid
vine_secrets vine_id uuid
vine_secrets name text
vine_secrets generate bool
vine_secrets length int4
vine_secrets special_chars bool
vine_secrets status component_status
provision_jobs id uuid
provision_jobs user_id uuid
provision_jobs vine_id uuid
provision_jobs cloud_identity_id uuid
provision_jobs job_type text
provision_jobs status provision_job_status
provision_jobs worker_id uuid
provision_jobs error_message text
provision_jobs execution_metadata jsonb
provision_jobs created_at timestamptz
provision_jobs claimed_at timestamptz
provision_jobs started_at timestamptz
provision_jobs completed_at timestamptz
provision_job_logs id uuid
provision_job_logs job_id uuid
provision_job_logs log_chunk text
provision_job_logs stream_type text
provision_job_logs created_at timestamptz
workers id uuid
workers user_id uuid
workers name text
workers mode worker_mode
workers status worker_status
workers token_hash text
workers version text
workers release_id uuid
workers last_heartbeat timestamptz
workers created_at timestamptz
worker_releases id uuid
worker_releases version text
worker_releases release_notes text
worker_releases released_at timestamptz
vine_audit_log id uuid
vine_audit_log vine_id uuid
vine_audit_log user_id uuid
vine_audit_log action audit_action
vine_audit_log component_type text
vine_audit_log component_id uuid
vine_audit_log changes jsonb
vine_audit_log created_at timestamptz
$list$, E'\n'), E'\n')) as c;

select is_empty($$
  select w.* from wanted as w
  where not exists (
    select from information_schema.columns as c
    where c.table_schema = 'public'
      and (c.table_name, c.column_name, c.udt_name) = (w.table_name, w.column_name, w.type)
  )
$$, 'every column stands with its type');

select is_empty($$
  select e.name, e.labels
  from (values
    ('vine_status', '{DRAFT,QUEUED,PROVISIONING,ACTIVE,FAILED,DESTROYING,DESTROYED}'),
    ('component_status', '{PENDING,CREATING,ACTIVE,UPDATING,FAILED,DESTROYING,DESTROYED}'),
    ('provision_job_status', '{QUEUED,CLAIMED,PROCESSING,SUCCESS,FAILED,CANCELLED}'),
    ('worker_mode', '{self-hosted,cloud-hosted}'),
    ('worker_status', '{ONLINE,OFFLINE,DRAINING}'),
    ('environment_stage', '{development,staging,production}'),
    ('cache_engine', '{redis,valkey}'),
    ('nosql_key_type', '{S,N,B}'),
    ('nosql_billing_mode', '{PAY_PER_REQUEST,PROVISIONED}'),
    ('registry_tag_mutability', '{MUTABLE,IMMUTABLE}'),
    ('audit_action', '{CREATED,UPDATED,DELETED,PROVISIONED,DESTROYED,REVEALED}')
  ) as e (name, labels)
  where e.labels::name[] is distinct from (
    select array_agg(l.enumlabel order by l.enumsortorder)
    from pg_enum as l
    where l.enumtypid = to_regtype('public.' || e.name)
  )
$$, 'every enum has its labels in order');

select is_empty($$
  select f.*
  from (values
    ('vineyards', 'user_id', 'auth.users'),
    ('vines', 'user_id', 'auth.users'),
    ('vines', 'vineyard_id', 'public.vineyards'),
    ('vines', 'cloud_identity_id', 'public.cloud_identities'),
    ('cloud_identities', 'user_id', 'auth.users'),
    ('provider_tokens', 'user_id', 'auth.users'),
    ('vine_network', 'vine_id', 'public.vines'),
    ('vine_cluster', 'vine_id', 'public.vines'),
    ('vine_dns', 'vine_id', 'public.vines'),
    ('vine_repositories', 'vine_id', 'public.vines'),
    ('vine_databases', 'vine_id', 'public.vines'),
    ('vine_caches', 'vine_id', 'public.vines'),
    ('vine_nosql_tables', 'vine_id', 'public.vines'),
    ('vine_queues', 'vine_id', 'public.vines'),
    ('vine_topics', 'vine_id', 'public.vines'),
    ('vine_container_registries', 'vine_id', 'public.vines'),
    ('vine_secrets', 'vine_id', 'public.vines'),
    ('provision_jobs', 'user_id', 'auth.users'),
    ('provision_jobs', 'vine_id', 'public.vines'),
    ('provision_jobs', 'cloud_identity_id', 'public.cloud_identities'),
    ('provision_jobs', 'worker_id', 'public.workers'),
    ('provision_job_logs', 'job_id', 'public.provision_jobs'),
    ('workers', 'user_id', 'auth.users'),
    ('workers', 'release_id', 'public.worker_releases'),
    ('vine_audit_log', 'vine_id', 'public.vines'),
    ('vine_audit_log', 'user_id', 'auth.users')
  ) as f (table_name, column_name, target)
  where not exists (
    select
    from pg_constraint as c
    join pg_attribute as a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
    where c.contype = 'f'
      and c.conrelid = to_regclass('public.' || f.table_name)
      and a.attname = f.column_name
      and c.confrelid = f.target::regclass
  )
$$, 'every foreign key points where it should');

select is_empty($$
  select u.*
  from (values
    ('vineyards', '{user_id,name}'),
    ('vine_network', '{vine_id}'), ('vine_cluster', '{vine_id}'), ('vine_dns', '{vine_id}'),
    ('vine_repositories', '{vine_id}'),
    ('vine_databases', '{vine_id,name}'), ('vine_caches', '{vine_id,name}'),
    ('worker_releases', '{version}')
  ) as u (table_name, columns)
  where not exists (
    select
    from pg_constraint as c
    where c.contype = 'u' and c.conrelid = to_regclass('public.' || u.table_name)
      and u.columns::name[] = array(
        select a.attname from unnest(c.conkey) with ordinality as k (num, place)
        join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.num order by k.place)
  )
$$, 'every unique rule stands');

select is_empty($$
  select c.relname from pg_class as c
  where c.relnamespace in ('public'::regnamespace, 'cloud'::regnamespace) and c.relkind in ('r', 'p')
    and (not c.relrowsecurity or obj_description(c.oid, 'pg_class') is null)
$$, 'every exposed table has row level security and a comment');

select * from finish();
rollback;
