-- Components: what a vine is made of. Four kinds stand once a vine, seven any number of times.
-- Clients write what they wish for; status, cost and the columns that are populated after
-- provisioning are the database's own.
--
-- `default nullif(…)` marks a column whose default goes by the vine's stage: it is null, which the next
-- chapter's trigger replaces. A bare null would not count as a default, and generated types would ask
-- for the column.

create function private.are_cidrs(p_blocks text[])
returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return p_blocks::cidr[] is not null;
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
  instance_types text[] not null default nullif('{}'::text[], '{}') check (cardinality(instance_types) > 0),
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
-- Many to a vine; what a name may be is further down, once for all
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

--------------------------------------------------------------------------------------------------
-- The kinds as data
--------------------------------------------------------------------------------------------------

create table private.component_kinds (
  manifest_key text primary key,
  component_type text not null unique,
  table_name regclass not null unique,
  is_singleton boolean not null,
  client_columns text[] not null,
  output_columns text[] not null
);
comment on table private.component_kinds is
  'Every kind of component, once: what plants, describes, moves, audits and fills them in reads it here.';
comment on column private.component_kinds.manifest_key is 'Its key in a manifest, in the job context and in Terraform''s variables.';
comment on column private.component_kinds.component_type is 'Its name in the audit log and in messages.';
comment on column private.component_kinds.client_columns is 'What clients write; granted below.';
comment on column private.component_kinds.output_columns is 'What Terraform''s outputs may fill in.';

insert into private.component_kinds values
  ('network', 'network', 'public.vine_network', true,
    '{provision_network,network_id,cidr_block,single_nat_gateway,allowed_cidr_blocks}',
    '{network_id}'),
  ('cluster', 'cluster', 'public.vine_cluster', true,
    '{cluster_version,provider_config,cluster_admins,instance_types,node_min_size,node_max_size,node_desired_size}',
    '{cluster_name,cluster_endpoint,cluster_arn,argocd_url,argocd_admin_password}'),
  ('dns', 'dns', 'public.vine_dns', true,
    '{enabled,zone_id,domain_name,managed_certificate,waf_enabled,provider_config}',
    '{}'),
  ('repositories', 'repositories', 'public.vine_repositories', true,
    '{env_template_repo,env_template_branch,env_destination_repo,gitops_template_repo,gitops_template_branch,gitops_destination_repo,apps_template_repo,apps_template_branch,apps_destination_repo}',
    '{}'),
  ('databases', 'database', 'public.vine_databases', false,
    '{name,engine,engine_version,min_capacity,max_capacity,port,backup_retention_days,iam_auth}',
    '{endpoint,reader_endpoint,cluster_identifier,master_credentials_secret_arn}'),
  ('caches', 'cache', 'public.vine_caches', false,
    '{name,engine,node_type,num_cache_nodes,multi_az,allowed_cidr_blocks}',
    '{endpoint}'),
  ('nosql_tables', 'nosql_table', 'public.vine_nosql_tables', false,
    '{name,table_type,hash_key,hash_key_type,range_key,range_key_type,billing_mode,point_in_time_recovery,provider_config}',
    '{}'),
  ('queues', 'queue', 'public.vine_queues', false,
    '{name,fifo,visibility_timeout,message_retention,delay_seconds}',
    '{}'),
  ('topics', 'topic', 'public.vine_topics', false,
    '{name,subscriptions}',
    '{}'),
  ('container_registries', 'container_registry', 'public.vine_container_registries', false,
    '{name,image_tag_mutability,scan_on_push,provider_config}',
    '{repository_url}'),
  ('secrets', 'secret', 'public.vine_secrets', false,
    '{name,generate,length,special_chars}',
    '{}');

create function private.has_status(p_kind private.component_kinds)
returns boolean
language sql immutable set search_path = ''
as $$ select p_kind.manifest_key <> 'repositories' $$;
comment on function private.has_status is 'Repositories are references, not resources: they have no life cycle.';

create function private.client_config(p_kind private.component_kinds, p_row jsonb)
returns jsonb
language sql immutable set search_path = ''
as $$
  select coalesce(jsonb_object_agg(f.key, f.value), '{}')
  from jsonb_each(p_row) as f
  where f.key = any (p_kind.client_columns)
    -- the id of a network that Vintner itself makes is an output: as an input it would be a change
    and not (f.key = 'network_id' and (p_row ->> 'provision_network')::boolean);
$$;
comment on function private.client_config is
  'What a client wrote of a component. For the job context, and to tell what has changed since a DEPLOY.';

create table private.deployed_configs (
  component_id uuid primary key,
  vine_id uuid not null references public.vines (id) on delete cascade,
  config jsonb not null,
  is_provisioned boolean not null default false
);
comment on table private.deployed_configs is
  'What each component was when the newest DEPLOY of its vine began: what differs from it is UPDATING in the next.';
comment on column private.deployed_configs.is_provisioned is
  'Whether a DEPLOY with it in has succeeded: a retry after a failure is then UPDATING, not CREATING.';
create index deployed_configs_vine_id_idx on private.deployed_configs (vine_id);
alter table private.deployed_configs enable row level security;

insert into private.encrypted_columns (table_name, column_name, purpose) values
  ('public.vine_cluster', 'argocd_admin_password', 'argocd_admin_password');

create trigger encrypt
before insert or update of argocd_admin_password on public.vine_cluster
for each row when (not private.is_reencrypting())
execute function private.tg_encrypt();

--------------------------------------------------------------------------------------------------
-- Life cycle
--------------------------------------------------------------------------------------------------

create function private.next_component_statuses(p_from public.component_status)
returns public.component_status[]
language sql immutable set search_path = ''
as $$
  select case p_from
    when 'PENDING' then '{CREATING}'
    when 'CREATING' then '{ACTIVE,FAILED}'
    when 'ACTIVE' then '{UPDATING,DESTROYING}'
    when 'UPDATING' then '{ACTIVE,FAILED}'
    -- a failed one may exist already, so that a retry creates or updates it
    when 'FAILED' then '{CREATING,UPDATING,DESTROYING}'
    when 'DESTROYING' then '{DESTROYED,FAILED}'
    when 'DESTROYED' then '{}'
  end::public.component_status[]
$$;
comment on function private.next_component_statuses is 'Every legal move of a component. For the guard and for tests.';

create function private.tg_components__guard_destroyed()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_vine public.vines;
begin
  if tg_op = 'INSERT' then
    -- the lock makes a DESTROY that is just ending wait, or this wait for it
    select * into v_vine from public.vines where id = new.vine_id for share;
  else
    -- the component's row is locked by now, and the end of a DESTROY writes that too: there the two meet
    select * into v_vine from public.vines where id = old.vine_id;
  end if;
  -- where the vine itself goes, it is gone already
  if v_vine.status = 'DESTROYED' then
    perform private.raise_error('vine_destroyed', private.vine_label(v_vine));
  end if;
  return null;
end;
$$;
comment on function private.tg_components__guard_destroyed is
  'A DESTROYED vine stays as it was: a record. Under any other status components may change: a running job does not '
  'hold up who edits, and what differs from what was deployed is for the next DEPLOY, a removal too.';

create function private.tg_components__guard()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'PENDING' then
      perform private.raise_error('illegal_transition', tg_argv[0], 'nothing', new.status::text);
    end if;
  elsif new.status is distinct from old.status
    and not new.status = any (private.next_component_statuses(old.status)) then
    perform private.raise_error('illegal_transition', tg_argv[0], old.status::text, new.status::text);
  end if;
  return new;
end;
$$;
comment on function private.tg_components__guard is 'Holds the moves of components.';

create function private.tg_components__set_account()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  new.account_id := (select v.account_id from public.vines as v where v.id = new.vine_id);
  return new;
end;
$$;
comment on function private.tg_components__set_account is 'Copies the account of a component''s vine.';

--------------------------------------------------------------------------------------------------
-- The same for every kind: what a name may be, who may do what, what is guarded
--------------------------------------------------------------------------------------------------

do $$
declare
  v_kind private.component_kinds;
  v_name name;
  v_columns text;
begin
  for v_kind in select * from private.component_kinds loop
    select relname into v_name from pg_catalog.pg_class where oid = v_kind.table_name;
    select string_agg(quote_ident(c), ', ') into v_columns from unnest(v_kind.client_columns) as c;
    if not v_kind.is_singleton then
      -- a name is a key in Terraform's variables
      execute format('alter table %s add constraint %I check (name ~ ''^[a-z][a-z0-9_-]{0,62}$'')',
        v_kind.table_name, v_name || '_name_check');
      execute format('comment on constraint %I on %s is %L', v_name || '_name_check', v_kind.table_name,
        'name must be 1 to 63 lower-case letters, digits, - and _, from a letter on');
    end if;
    execute format('alter table %s add column account_id uuid not null default nullif('''', '''')::uuid', v_kind.table_name);
    execute format('comment on column %s.account_id is %L', v_kind.table_name,
      'Its vine''s: copied by a trigger, so that policies need no join.');
    execute format('create index %I on %s (account_id)', v_name || '_account_id_idx', v_kind.table_name);
    execute format('create trigger set_account before insert or update of vine_id, account_id on %s '
      'for each row execute function private.tg_components__set_account()', v_kind.table_name);
    execute format('alter table %s enable row level security', v_kind.table_name);
    execute format('create policy %I on %s for select to authenticated '
      'using (account_id = any (array(select private.account_ids(''viewer''))))', v_name || '_select', v_kind.table_name);
    execute format('create policy %I on %s for insert to authenticated '
      'with check (account_id = any (array(select private.account_ids(''operator''))))', v_name || '_insert', v_kind.table_name);
    execute format('create policy %I on %s for update to authenticated '
      'using (account_id = any (array(select private.account_ids(''operator''))))', v_name || '_update', v_kind.table_name);
    execute format('create policy %I on %s for delete to authenticated '
      'using (account_id = any (array(select private.account_ids(''operator''))))', v_name || '_delete', v_kind.table_name);
    execute format('grant select, delete on %s to authenticated, service_role', v_kind.table_name);
    execute format('grant insert (vine_id, %s) on %s to authenticated', v_columns, v_kind.table_name);
    execute format('grant update (%s) on %s to authenticated', v_columns, v_kind.table_name);
    -- after, so that what it says of a vine is said to who may write there
    execute format('create trigger guard_destroyed after insert or update or delete on %s '
      'for each row when (not private.is_reencrypting()) '
      'execute function private.tg_components__guard_destroyed()', v_kind.table_name);
    if private.has_status(v_kind) then
      execute format('create trigger guard before insert or update on %s '
        'for each row execute function private.tg_components__guard(%L)', v_kind.table_name, v_kind.component_type);
    end if;
  end loop;
end;
$$;
