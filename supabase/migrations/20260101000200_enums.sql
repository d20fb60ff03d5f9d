-- The vocabulary: life-cycle states and the few closed lists of values.

create type public.account_role as enum ('viewer', 'operator', 'admin', 'owner');
comment on type public.account_role is
  'What a member may do, each role including those before it: look; plan, harvest and cancel; '
  'manage vineyards, identities and Tendrils; own the account.';

create type public.environment_stage as enum ('development', 'staging', 'production');
comment on type public.environment_stage is 'What a vine is for; sets names, sizes and the state path.';

create type public.vine_status as enum (
  'DRAFT', 'QUEUED', 'PROVISIONING', 'ACTIVE', 'FAILED', 'DESTROYING', 'DESTROYED'
);
comment on type public.vine_status is 'Life cycle of a vine.';

create type public.component_status as enum (
  'PENDING', 'CREATING', 'ACTIVE', 'UPDATING', 'FAILED', 'DESTROYING', 'DESTROYED'
);
comment on type public.component_status is 'Life cycle of one component of a vine.';

create type public.provision_job_status as enum (
  'QUEUED', 'CLAIMED', 'PROCESSING', 'SUCCESS', 'FAILED', 'CANCELLED'
);
comment on type public.provision_job_status is 'Life cycle of a job.';

create type public.worker_mode as enum ('self-hosted', 'cloud-hosted');
comment on type public.worker_mode is 'Whose machine a Tendril runs on.';

create type public.worker_status as enum ('ONLINE', 'OFFLINE', 'DRAINING');
comment on type public.worker_status is
  'ONLINE: heard of within 60 s. DRAINING: finishing what it has, claiming nothing. OFFLINE: unheard of.';

create type public.audit_action as enum ('CREATED', 'UPDATED', 'DELETED', 'PROVISIONED', 'DESTROYED', 'REVEALED');
comment on type public.audit_action is 'What an audit entry reports; REVEALED: someone was shown a secret in clear.';

create type public.cache_engine as enum ('redis', 'valkey');
comment on type public.cache_engine is 'Engine of a cache.';

create type public.nosql_table_type as enum ('dynamodb', 'firestore', 'cosmosdb');
comment on type public.nosql_table_type is 'Service that holds a NoSQL table.';

create type public.nosql_key_type as enum ('S', 'N', 'B');
comment on type public.nosql_key_type is 'Type of a NoSQL key: string, number, binary.';

create type public.nosql_billing_mode as enum ('PAY_PER_REQUEST', 'PROVISIONED');
comment on type public.nosql_billing_mode is 'How a NoSQL table is paid for.';

create type public.registry_tag_mutability as enum ('MUTABLE', 'IMMUTABLE');
comment on type public.registry_tag_mutability is 'Whether an image tag may be moved.';
