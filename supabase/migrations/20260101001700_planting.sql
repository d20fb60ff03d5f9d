-- Planting: a vine with all its components in one call and one transaction. It writes as the caller,
-- so grants and policies judge each row as they would judge a single insert. What a manifest holds
-- is looked at first, strictly: whatever is wrong is one sentence that names the place.

--------------------------------------------------------------------------------------------------
-- Looking at what is given
--------------------------------------------------------------------------------------------------

create function private.refuse_input(p_path text, p_sentence text)
returns void
language plpgsql stable set search_path = ''
as $$
begin
  perform private.raise_error('invalid_input', concat_ws(': ', p_path, p_sentence) || '.');
end;
$$;
comment on function private.refuse_input is 'Refuses a manifest because of what stands at a place in it.';
grant execute on function private.refuse_input to authenticated;

create function private.checked_value(p_path text, p_type regtype, p_value jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_json_type constant text := jsonb_typeof(p_value);
  v_labels text[];
  v_wanted text;
begin
  if p_type = 'text'::regtype and v_json_type <> 'string' then
    v_wanted := 'a text, in quotation marks,';
  elsif p_type = 'boolean'::regtype and v_json_type <> 'boolean' then
    v_wanted := 'true or false';
  elsif p_type in ('integer'::regtype, 'numeric'::regtype) and v_json_type <> 'number' then
    v_wanted := 'a number';
  elsif p_type = 'integer'::regtype then
    if (p_value::numeric % 1) <> 0 or abs(p_value::numeric) >= 2 ^ 31 then
      v_wanted := 'a whole number below 2147483648';
    else
      return to_jsonb(p_value::numeric::integer);
    end if;
  elsif p_type = 'text[]'::regtype and (v_json_type <> 'array' or p_value @? '$[*] ? (@.type() <> "string")') then
    v_wanted := 'a list of texts';
  elsif p_type = 'uuid'::regtype
    and (p_value #>> '{}') !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    v_wanted := 'an id';
  end if;
  select array_agg(e.enumlabel::text order by e.enumsortorder) into v_labels
  from pg_catalog.pg_enum as e where e.enumtypid = p_type;
  if v_labels is not null and (v_json_type <> 'string' or p_value #>> '{}' <> all (v_labels)) then
    v_wanted := 'one of ' || array_to_string(v_labels, ', ');
  end if;
  if v_wanted is not null then
    perform private.refuse_input(p_path, format('%s is wanted, not %s', v_wanted, left(p_value::text, 60)));
  end if;
  return p_value;
end;
$$;
comment on function private.checked_value is
  'A value as its column takes it; refuses one of another type. For private.checked_row.';
grant execute on function private.checked_value to authenticated;

create function private.checked_row(
  p_path text, p_table regclass, p_columns text[], p_row jsonb, p_other_keys text[] default '{}'
)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_result jsonb := '{}';
  v_key text;
  v_value jsonb;
begin
  if jsonb_typeof(p_row) is distinct from 'object' then
    perform private.refuse_input(coalesce(p_path, 'manifest'), 'an object is wanted');
  end if;
  for v_key, v_value in select * from jsonb_each(p_row) where key <> all (p_other_keys) loop
    if v_key <> all (p_columns) then
      perform private.refuse_input(concat_ws('.', p_path, left(v_key, 60)),
        format('there is no such key; there are %s', array_to_string(p_columns || p_other_keys, ', ')));
    elsif v_value <> 'null' then
      v_value := private.checked_value(concat_ws('.', p_path, v_key), (
        select a.atttypid from pg_catalog.pg_attribute as a where a.attrelid = p_table and a.attname = v_key
      ), v_value);
      v_result := v_result || jsonb_build_object(v_key, v_value);
    end if;
  end loop;
  select min(a.attname) into v_key
  from pg_catalog.pg_attribute as a
  where a.attrelid = p_table and a.attname = any (p_columns) and not v_result ? a.attname
    and a.attnotnull and not a.atthasdef;
  if v_key is not null then
    perform private.refuse_input(concat_ws('.', p_path, v_key), 'this key is needed');
  end if;
  return v_result;
end;
$$;
comment on function private.checked_row is
  'The columns that a row of a manifest sets, null standing for left out; refuses unknown keys, values of another type '
  'and needed keys left out.';
grant execute on function private.checked_row to authenticated;

create function private.checked_vine(p_path text, p_columns text[], p_vine jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_columns constant jsonb := private.checked_row(
    p_path, 'public.vines', p_columns, p_vine, array(select manifest_key from private.component_kinds order by 1));
  v_components jsonb := '{}';
  v_kind private.component_kinds;
  v_path text;
  v_rows jsonb;
  v_name text;
begin
  for v_kind in select * from private.component_kinds order by manifest_key loop
    v_path := concat_ws('.', p_path, v_kind.manifest_key);
    v_rows := nullif(p_vine -> v_kind.manifest_key, 'null');
    if v_rows is null then
      v_rows := '[]';
    elsif v_kind.is_singleton then
      v_rows := jsonb_build_array(private.checked_row(v_path, v_kind.table_name, v_kind.client_columns, v_rows));
    elsif jsonb_typeof(v_rows) <> 'array' then
      perform private.refuse_input(v_path, 'a list is wanted');
    else
      select coalesce(jsonb_agg(private.checked_row(
        coalesce(v_path || '.' || left(r.item ->> 'name', 60), format('%s[%s]', v_path, r.place)),
        v_kind.table_name, v_kind.client_columns, r.item) order by r.place), '[]')
      into v_rows
      from jsonb_array_elements(v_rows) with ordinality as r (item, place);
      select r.item ->> 'name' into v_name from jsonb_array_elements(v_rows) as r (item) group by 1 having count(*) > 1;
      if found then
        perform private.refuse_input(v_path || '.' || v_name, 'this name stands more than once');
      end if;
    end if;
    v_components := v_components || jsonb_build_object(v_kind.manifest_key, v_rows);
  end loop;
  return jsonb_build_object(
    'columns', '{"environment_stage": "development"}' || v_columns, 'components', v_components);
end;
$$;
comment on function private.checked_vine is
  'A vine of a manifest, looked at: its columns, and for each kind of component a list of rows. Refuses what is wrong.';
grant execute on function private.checked_vine to authenticated;

--------------------------------------------------------------------------------------------------
-- Writing, as the caller
--------------------------------------------------------------------------------------------------

create function private.write(p_path text, p_statement text, p_id uuid, p_row jsonb)
returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  v_id uuid;
  v_table text;
  v_constraint text;
begin
  execute p_statement into v_id using p_id, p_row;
  -- a policy hides the row from the statement
  if v_id is null then
    perform private.raise_error('not_allowed', 'write ' || p_path);
  end if;
  return v_id;
exception
  when insufficient_privilege then
    perform private.raise_error('not_allowed', 'write ' || p_path);
  when check_violation then
    get stacked diagnostics v_table = table_name, v_constraint = constraint_name;
    perform private.refuse_input(p_path, coalesce(
      (
        select obj_description(c.oid, 'pg_constraint') from pg_catalog.pg_constraint as c
        where c.conrelid = to_regclass('public.' || v_table) and c.conname = v_constraint
      ),
      v_constraint || ' does not hold'));
  when unique_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'vines_name_idx' then
      perform private.raise_error('vine_exists', p_path);
    end if;
    perform private.refuse_input(p_path, 'there is one of this name already');
end;
$$;
comment on function private.write is
  'Runs a statement that returns the id of the row it wrote; what a constraint refuses becomes a sentence. '
  'For the functions of manifests, as the caller.';
grant execute on function private.write to authenticated;

create function private.insert_row(p_path text, p_table regclass, p_row jsonb)
returns uuid
language sql volatile set search_path = ''
as $$
  select private.write(p_path, (
    select format('insert into %1$s (%2$s) select %2$s from jsonb_populate_record(null::%1$s, $2) returning id',
      p_table, string_agg(quote_ident(k.key), ', '))
    from jsonb_object_keys(p_row) as k (key)
  ), null, p_row);
$$;
comment on function private.insert_row is 'Inserts the columns of p_row, as the caller. For the functions of manifests.';
grant execute on function private.insert_row to authenticated;

create function private.plant(p_path text, p_vine jsonb)
returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  v_label constant text := concat_ws('/', p_vine #>> '{columns,project_name}', p_vine #>> '{columns,environment_stage}');
  v_id constant uuid := private.insert_row(v_label, 'public.vines', p_vine -> 'columns');
  v_kind private.component_kinds;
  v_row jsonb;
begin
  for v_kind in select * from private.component_kinds order by manifest_key loop
    for v_row in select * from jsonb_array_elements(p_vine -> 'components' -> v_kind.manifest_key) loop
      perform private.insert_row(
        concat_ws('.', p_path, v_kind.manifest_key, v_row ->> 'name'),
        v_kind.table_name, v_row || jsonb_build_object('vine_id', v_id));
    end loop;
  end loop;
  return v_id;
end;
$$;
comment on function private.plant is 'Inserts a vine of private.checked_vine with its components, as the caller; gives its id.';
grant execute on function private.plant to authenticated;

create function public.plant_vine(p_manifest jsonb)
returns public.vines
language plpgsql volatile set search_path = ''
as $$
declare
  v_checked constant jsonb := private.checked_vine(null, array[
    'vineyard_id', 'cloud_identity_id', 'project_name', 'environment_stage', 'region', 'terraform_version'
  ], p_manifest);
  v_vineyard_id constant uuid := v_checked #>> '{columns,vineyard_id}';
  v_vine public.vines;
  v_id uuid;
begin
  if not exists (select from public.vineyards where id = v_vineyard_id) then
    perform private.raise_error('not_found', 'vineyard', v_vineyard_id::text);
  end if;
  v_id := private.plant(null, v_checked);
  select * into strict v_vine from public.vines where id = v_id;
  return v_vine;
end;
$$;
comment on function public.plant_vine is
  'Makes a vine with its components from a manifest: vineyard_id, cloud_identity_id, project_name, environment_stage, '
  'region, terraform_version, and a key for each kind of component. All of it, or nothing. For operators.';
grant execute on function public.plant_vine to authenticated;
