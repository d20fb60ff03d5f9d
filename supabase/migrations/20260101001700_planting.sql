-- Planting: a vine with all its components in one call and one transaction. It writes as the caller,
-- so grants and policies judge each row as they would judge a single insert.

create function private.insert_component(p_kind private.component_kinds, p_vine_id uuid, p_row jsonb)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_columns text;
  v_unknown text;
begin
  if jsonb_typeof(p_row) <> 'object' then
    perform private.raise_error('invalid_input', format('%s: an object is wanted.', p_kind.component_type));
  end if;
  select string_agg(quote_ident(k.key), ', ') filter (where k.key = any (p_kind.client_columns)),
         min(k.key) filter (where k.key <> all (p_kind.client_columns))
  into v_columns, v_unknown
  from jsonb_object_keys(p_row) as k (key);
  if v_unknown is not null then
    perform private.raise_error('invalid_input', format('%s: there is no %s that could be set.', p_kind.component_type, v_unknown));
  end if;
  execute format(
    'insert into %1$s (vine_id%2$s) select $1%2$s from jsonb_populate_record(null::%1$s, $2)',
    p_kind.table_name, coalesce(', ' || v_columns, ''))
  using p_vine_id, p_row;
end;
$$;
comment on function private.insert_component is 'Inserts one component with the columns its manifest names. For plant_vine.';
grant execute on function private.insert_component to authenticated;
grant select on private.component_kinds to authenticated;

create function public.plant_vine(p_manifest jsonb)
returns public.vines
language plpgsql volatile set search_path = ''
as $$
declare
  v_vine_columns constant text[] := array[
    'vineyard_id', 'cloud_identity_id', 'project_name', 'environment_stage', 'region', 'terraform_version'
  ];
  v_unknown text;
  v_kind private.component_kinds;
  v_rows jsonb;
  v_row jsonb;
  v_vine public.vines;
begin
  if jsonb_typeof(p_manifest) is distinct from 'object' then
    perform private.raise_error('invalid_input', 'A manifest is an object.');
  end if;
  select min(k.key) into v_unknown from jsonb_object_keys(p_manifest) as k (key)
  where k.key <> all (v_vine_columns)
    and not exists (select from private.component_kinds as c where c.manifest_key = k.key);
  if v_unknown is not null then
    perform private.raise_error('invalid_input', format('A manifest has no %s.', v_unknown));
  end if;
  select * into v_vine from jsonb_populate_record(null::public.vines, p_manifest);
  insert into public.vines (
    vineyard_id, cloud_identity_id, project_name, environment_stage, region, terraform_version
  ) values (
    v_vine.vineyard_id, v_vine.cloud_identity_id, v_vine.project_name,
    coalesce(v_vine.environment_stage, 'development'), v_vine.region,
    coalesce(v_vine.terraform_version, '1.11.4')
  ) returning * into v_vine;
  for v_kind in select * from private.component_kinds order by manifest_key loop
    v_rows := nullif(p_manifest -> v_kind.manifest_key, 'null');
    if v_rows is null then
      continue;
    elsif v_kind.is_singleton then
      v_rows := jsonb_build_array(v_rows);
    elsif jsonb_typeof(v_rows) <> 'array' then
      perform private.raise_error('invalid_input', format('%s: a list is wanted.', v_kind.manifest_key));
    end if;
    for v_row in select * from jsonb_array_elements(v_rows) loop
      perform private.insert_component(v_kind, v_vine.id, v_row);
    end loop;
  end loop;
  return v_vine;
end;
$$;
comment on function public.plant_vine is
  'Makes a vine with its components from a manifest: vineyard_id, cloud_identity_id, project_name, environment_stage, '
  'region, terraform_version, and a key for each kind of component. For operators.';
grant execute on function public.plant_vine to authenticated;
