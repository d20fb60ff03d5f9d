-- Components: what a vine is made of. Four kinds stand once a vine, seven any number of times.
-- Clients write what they wish for; status, cost and the columns that are populated after
-- provisioning are the database's own.
--
-- `default nullif(…)` marks a column whose default goes by the vine's stage: it is null, which a trigger
-- of the chapter of stage defaults replaces. A bare null would not count as a default, and generated
-- types would ask for the column.

create function private.are_cidrs(p_blocks text[])
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return p_blocks::cidr[] is not null and coalesce(array_ndims(p_blocks), 1) = 1 and array_position(p_blocks, null) is null;
exception
  when invalid_text_representation then
    return false;
end;
$$;
comment on function private.are_cidrs is 'Whether each is a network such as 10.0.0.0/16. For checks, which everyone who writes runs.';
grant execute on function private.are_cidrs to authenticated, service_role;

--------------------------------------------------------------------------------------------------
-- Singletons
--------------------------------------------------------------------------------------------------

create table public.vine_network (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null unique references public.vines (id) on delete cascade,
  provision_network boolean not null default true,
  network_id text,
  cidr_block text not null default '10.0.0.0/16' check (private.are_cidrs(array[cidr_block])),
  single_nat_gateway boolean not null default nullif(true, true),
  allowed_cidr_blocks text[] not null default '{}' check (private.are_cidrs(allowed_cidr_blocks)),
  status public.component_status not null default 'PENDING',
  estimated_monthly_cost numeric check (estimated_monthly_cost >= 0),
  check (provision_network or network_id is not null)
);
comment on table public.vine_network is 'VPC, VNet or VPC network of a vine.';
comment on column public.vine_network.provision_network is 'Create a network, or use the existing network_id.';
comment on column public.vine_network.network_id is 'The existing network; populated after provisioning where one is created.';
comment on column public.vine_network.single_nat_gateway is 'One NAT gateway for all zones: cheaper, less available.';

create table public.vine_cluster (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null unique references public.vines (id) on delete cascade,
  cluster_version text not null default '1.31' check (cluster_version ~ '^\d+\.\d+$'),
  provider_config jsonb not null default '{}' check (jsonb_typeof(provider_config) = 'object'),
  cluster_admins jsonb not null default '[]' check (jsonb_typeof(cluster_admins) = 'array'),
  instance_types text[] not null default nullif('{}'::text[], '{}') check (array_ndims(instance_types) = 1 and array_position(instance_types, null) is null),
  node_min_size integer not null default nullif(0, 0) check (node_min_size >= 0),
  node_max_size integer not null default nullif(0, 0),
  node_desired_size integer not null default nullif(0, 0),
  status public.component_status not null default 'PENDING',
  cluster_name text,
  cluster_endpoint text,
  cluster_arn text,
  argocd_url text,
  argocd_admin_password text,
  check (node_desired_size between node_min_size and node_max_size)
);
comment on table public.vine_cluster is 'EKS, GKE or AKS cluster of a vine.';
comment on column public.vine_cluster.provider_config is 'Provider-specific overrides.';
comment on column public.vine_cluster.cluster_name is 'Populated after provisioning.';
comment on column public.vine_cluster.cluster_endpoint is 'Populated after provisioning.';
comment on column public.vine_cluster.cluster_arn is 'Populated after provisioning.';
comment on column public.vine_cluster.argocd_url is 'Populated after ArgoCD is installed.';
comment on column public.vine_cluster.argocd_admin_password is 'Populated after ArgoCD is installed; ciphertext.';

create table public.vine_dns (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null unique references public.vines (id) on delete cascade,
  enabled boolean not null default true,
  zone_id text,
  domain_name text,
  managed_certificate boolean not null default true,
  waf_enabled boolean not null default false,
  provider_config jsonb not null default '{}' check (jsonb_typeof(provider_config) = 'object'),
  status public.component_status not null default 'PENDING',
  check (not enabled or domain_name is not null)
);
comment on table public.vine_dns is 'Route53, Cloud DNS or Azure DNS of a vine.';
comment on column public.vine_dns.zone_id is 'The existing hosted zone.';
comment on column public.vine_dns.managed_certificate is 'ACM or another managed certificate.';

create table public.vine_repositories (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null unique references public.vines (id) on delete cascade,
  env_template_repo text,
  env_template_branch text,
  env_destination_repo text,
  gitops_template_repo text,
  gitops_template_branch text,
  gitops_destination_repo text,
  apps_template_repo text,
  apps_template_branch text,
  apps_destination_repo text
);
comment on table public.vine_repositories is 'Git repositories of a vine: infrastructure (env), GitOps and applications.';

--------------------------------------------------------------------------------------------------
-- Many to a vine; what a name may be is in the next chapter, once for all
--------------------------------------------------------------------------------------------------

create table public.vine_databases (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  engine text not null default 'aurora-postgresql' check (engine <> ''),
  engine_version text not null default '16.4',
  min_capacity numeric not null default nullif(0, 0) check (min_capacity >= 0),
  max_capacity numeric not null default nullif(0, 0),
  port integer not null default 5432 check (port between 1 and 65535),
  backup_retention_days integer not null default nullif(0, 0) check (backup_retention_days between 0 and 35),
  iam_auth boolean not null default true,
  status public.component_status not null default 'PENDING',
  endpoint text,
  reader_endpoint text,
  cluster_identifier text,
  master_credentials_secret_arn text,
  unique (vine_id, name),
  check (max_capacity >= min_capacity)
);
comment on table public.vine_databases is 'Aurora, Cloud SQL or Azure databases of a vine.';
comment on column public.vine_databases.min_capacity is 'Aurora Serverless capacity units (ACU).';
comment on column public.vine_databases.max_capacity is 'Aurora Serverless capacity units (ACU).';
comment on column public.vine_databases.endpoint is 'Writer; populated after provisioning.';
comment on column public.vine_databases.reader_endpoint is 'Populated after provisioning.';
comment on column public.vine_databases.cluster_identifier is 'Populated after provisioning.';
comment on column public.vine_databases.master_credentials_secret_arn is 'Populated after provisioning.';

create table public.vine_caches (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  engine public.cache_engine not null default 'valkey',
  node_type text not null default nullif('', '') check (node_type <> ''),
  num_cache_nodes integer not null default nullif(0, 0) check (num_cache_nodes > 0),
  multi_az boolean not null default nullif(true, true),
  allowed_cidr_blocks text[] not null default '{}' check (private.are_cidrs(allowed_cidr_blocks)),
  status public.component_status not null default 'PENDING',
  endpoint text,
  estimated_monthly_cost numeric check (estimated_monthly_cost >= 0),
  unique (vine_id, name)
);
comment on table public.vine_caches is 'ElastiCache, Memorystore or Azure caches of a vine.';
comment on column public.vine_caches.endpoint is 'Populated after provisioning.';

create table public.vine_nosql_tables (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  table_type public.nosql_table_type not null default 'dynamodb',
  hash_key text not null check (hash_key <> ''),
  hash_key_type public.nosql_key_type not null default 'S',
  range_key text,
  range_key_type public.nosql_key_type,
  billing_mode public.nosql_billing_mode not null default 'PAY_PER_REQUEST',
  point_in_time_recovery boolean not null default true,
  provider_config jsonb not null default '{}' check (jsonb_typeof(provider_config) = 'object'),
  status public.component_status not null default 'PENDING',
  unique (vine_id, name),
  check ((range_key is null) = (range_key_type is null))
);
comment on table public.vine_nosql_tables is 'DynamoDB, Firestore or Cosmos DB tables of a vine.';

create table public.vine_queues (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  fifo boolean not null default false,
  visibility_timeout integer not null default 30 check (visibility_timeout between 0 and 43200),
  message_retention integer not null default 345600 check (message_retention between 60 and 1209600),
  delay_seconds integer not null default 0 check (delay_seconds between 0 and 900),
  status public.component_status not null default 'PENDING',
  unique (vine_id, name)
);
comment on table public.vine_queues is 'SQS, Pub/Sub or Service Bus queues of a vine.';
comment on column public.vine_queues.visibility_timeout is 'Seconds.';
comment on column public.vine_queues.message_retention is 'Seconds.';

create table public.vine_topics (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  subscriptions jsonb not null default '[]' check (jsonb_typeof(subscriptions) = 'array'),
  status public.component_status not null default 'PENDING',
  unique (vine_id, name)
);
comment on table public.vine_topics is 'SNS, Pub/Sub or Service Bus topics of a vine.';

create table public.vine_container_registries (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  image_tag_mutability public.registry_tag_mutability not null default 'IMMUTABLE',
  scan_on_push boolean not null default true,
  repository_url text,
  provider_config jsonb not null default '{}' check (jsonb_typeof(provider_config) = 'object'),
  status public.component_status not null default 'PENDING',
  unique (vine_id, name)
);
comment on table public.vine_container_registries is 'ECR, Artifact Registry or ACR repositories of a vine.';
comment on column public.vine_container_registries.repository_url is 'Populated after provisioning.';

create table public.vine_secrets (
  id uuid primary key default gen_random_uuid(),
  vine_id uuid not null references public.vines (id) on delete cascade,
  name text not null,
  generate boolean not null default true,
  length integer not null default 32 check (length between 8 and 256),
  special_chars boolean not null default true,
  status public.component_status not null default 'PENDING',
  unique (vine_id, name)
);
comment on table public.vine_secrets is
  'Entries in Secrets Manager, Secret Manager or Key Vault. What they hold is never stored here.';

--------------------------------------------------------------------------------------------------
-- What the checks say to people
--------------------------------------------------------------------------------------------------

comment on constraint vine_network_cidr_block_check on public.vine_network is 'cidr_block must be a network such as 10.0.0.0/16';
comment on constraint vine_network_allowed_cidr_blocks_check on public.vine_network is 'allowed_cidr_blocks must be networks such as 10.0.0.0/16';
comment on constraint vine_network_check on public.vine_network is 'network_id is needed where provision_network is false';
comment on constraint vine_cluster_cluster_version_check on public.vine_cluster is 'cluster_version must be a version such as 1.31';
comment on constraint vine_cluster_provider_config_check on public.vine_cluster is 'provider_config must be an object';
comment on constraint vine_cluster_cluster_admins_check on public.vine_cluster is 'cluster_admins must be a list';
comment on constraint vine_cluster_instance_types_check on public.vine_cluster is 'instance_types must name at least one';
comment on constraint vine_cluster_node_min_size_check on public.vine_cluster is 'node_min_size must be 0 or more';
comment on constraint vine_cluster_check on public.vine_cluster is 'node_desired_size must be between node_min_size and node_max_size';
comment on constraint vine_dns_provider_config_check on public.vine_dns is 'provider_config must be an object';
comment on constraint vine_dns_check on public.vine_dns is 'domain_name is needed unless enabled is false';
comment on constraint vine_databases_engine_check on public.vine_databases is 'engine must not be empty';
comment on constraint vine_databases_min_capacity_check on public.vine_databases is 'min_capacity must be 0 or more';
comment on constraint vine_databases_port_check on public.vine_databases is 'port must be 1 to 65535';
comment on constraint vine_databases_backup_retention_days_check on public.vine_databases is 'backup_retention_days must be 0 to 35';
comment on constraint vine_databases_check on public.vine_databases is 'max_capacity must be min_capacity or more';
comment on constraint vine_caches_node_type_check on public.vine_caches is 'node_type must not be empty';
comment on constraint vine_caches_num_cache_nodes_check on public.vine_caches is 'num_cache_nodes must be 1 or more';
comment on constraint vine_caches_allowed_cidr_blocks_check on public.vine_caches is 'allowed_cidr_blocks must be networks such as 10.0.0.0/16';
comment on constraint vine_nosql_tables_hash_key_check on public.vine_nosql_tables is 'hash_key must not be empty';
comment on constraint vine_nosql_tables_provider_config_check on public.vine_nosql_tables is 'provider_config must be an object';
comment on constraint vine_nosql_tables_check on public.vine_nosql_tables is 'range_key and range_key_type go together';
comment on constraint vine_queues_visibility_timeout_check on public.vine_queues is 'visibility_timeout must be 0 to 43200';
comment on constraint vine_queues_message_retention_check on public.vine_queues is 'message_retention must be 60 to 1209600';
comment on constraint vine_queues_delay_seconds_check on public.vine_queues is 'delay_seconds must be 0 to 900';
comment on constraint vine_topics_subscriptions_check on public.vine_topics is 'subscriptions must be a list';
comment on constraint vine_container_registries_provider_config_check on public.vine_container_registries is 'provider_config must be an object';
comment on constraint vine_secrets_length_check on public.vine_secrets is 'length must be 8 to 256';
