-- Component kinds: what is the same for every component, written once. A table of the kinds, which whatever
-- plants, describes, moves, audits or fills in components reads; their life cycle; who may do what.

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

-- who plants reads it as themselves
alter table private.component_kinds enable row level security;
create policy component_kinds_select on private.component_kinds for select to authenticated using (true);
grant select on private.component_kinds to authenticated;

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
  'What a client wrote of a component. For the job context, for apply_manifest, and to tell what has changed since a DEPLOY.';
grant execute on function private.client_config to authenticated;

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
      'using (account_id = any (array(select * from private.account_ids(''viewer''))))', v_name || '_select', v_kind.table_name);
    execute format('create policy %I on %s for insert to authenticated '
      'with check (account_id = any (array(select * from private.account_ids(''operator''))))', v_name || '_insert', v_kind.table_name);
    execute format('create policy %I on %s for update to authenticated '
      'using (account_id = any (array(select * from private.account_ids(''operator''))))', v_name || '_update', v_kind.table_name);
    execute format('create policy %I on %s for delete to authenticated '
      'using (account_id = any (array(select * from private.account_ids(''operator''))))', v_name || '_delete', v_kind.table_name);
    execute format('grant select, delete on %s to authenticated, service_role', v_kind.table_name);
    execute format('grant insert (vine_id, %s) on %s to authenticated', v_columns, v_kind.table_name);
    execute format('grant update (%s) on %s to authenticated', v_columns, v_kind.table_name);
    execute format('create trigger limit_size before insert or update of %s on %s '
      'for each row execute function private.tg_limit_size()', v_columns, v_kind.table_name);
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
