-- Stage defaults: how big and how safe a vine is where nobody says so, by its environment stage.
-- The names and the state path, which follow from the stage too, are in the chapter of vines.

create table public.environment_defaults (
  environment_stage public.environment_stage not null,
  component text not null references private.component_kinds (manifest_key),
  settings jsonb not null check (jsonb_typeof(settings) = 'object'),
  primary key (component, environment_stage)
);
comment on table public.environment_defaults is
  'What a component''s columns are where they are left out, by stage. A column that is not here has one default for all.';
comment on column public.environment_defaults.component is 'As in a manifest: network, cluster, databases …';
comment on column public.environment_defaults.settings is 'Columns and their values.';

insert into public.environment_defaults (environment_stage, component, settings) values
  ('development', 'network', '{"single_nat_gateway": true}'),
  ('staging',     'network', '{"single_nat_gateway": true}'),
  ('production',  'network', '{"single_nat_gateway": false}'),

  ('development', 'cluster',
    '{"instance_types": ["t3.large"], "node_min_size": 1, "node_desired_size": 1, "node_max_size": 3}'),
  ('staging', 'cluster',
    '{"instance_types": ["m5.large"], "node_min_size": 1, "node_desired_size": 2, "node_max_size": 4}'),
  ('production', 'cluster',
    '{"instance_types": ["m5.xlarge"], "node_min_size": 3, "node_desired_size": 3, "node_max_size": 9}'),

  ('development', 'databases', '{"min_capacity": 0.5, "max_capacity": 2, "backup_retention_days": 1}'),
  ('staging',     'databases', '{"min_capacity": 0.5, "max_capacity": 4, "backup_retention_days": 7}'),
  ('production',  'databases', '{"min_capacity": 2, "max_capacity": 16, "backup_retention_days": 30}'),

  ('development', 'caches', '{"node_type": "cache.t4g.micro", "num_cache_nodes": 1, "multi_az": false}'),
  ('staging',     'caches', '{"node_type": "cache.t4g.small", "num_cache_nodes": 1, "multi_az": false}'),
  ('production',  'caches', '{"node_type": "cache.r6g.large", "num_cache_nodes": 2, "multi_az": true}');

alter table public.environment_defaults enable row level security;
create policy environment_defaults_select on public.environment_defaults for select to authenticated
using (true);
grant select on public.environment_defaults to authenticated, service_role;

create function private.tg_components__stage_defaults()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_defaults jsonb;
begin
  select jsonb_object_agg(s.key, s.value) into v_defaults
  from public.vines as v
  join public.environment_defaults as d on d.environment_stage = v.environment_stage and d.component = tg_argv[0]
  cross join jsonb_each(d.settings) as s
  where v.id = new.vine_id and to_jsonb(new) ->> s.key is null;
  return jsonb_populate_record(new, coalesce(v_defaults, '{}'));
end;
$$;
comment on function private.tg_components__stage_defaults is
  'Fills in what was left out, or given as null, with the default of the vine''s stage. Only when a component is made: '
  'what stands is not resized because a default or a DRAFT''s stage has changed.';

do $$
declare
  v_kind private.component_kinds;
begin
  for v_kind in
    select k.* from private.component_kinds as k
    where exists (select from public.environment_defaults as d where d.component = k.manifest_key)
  loop
    execute format('create trigger defaults before insert on %s '
      'for each row execute function private.tg_components__stage_defaults(%L)', v_kind.table_name, v_kind.manifest_key);
  end loop;
end;
$$;
