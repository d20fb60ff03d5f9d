-- Manifests of vineyards: apply_manifest brings a vineyard to a described state and says what the
-- difference was. It writes as the caller. Whoever applies to a vineyard waits for who does already,
-- so that two who apply one manifest come to one result.

create function private.component_defaults(p_kind private.component_kinds, p_stage public.environment_stage)
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_defaults jsonb;
begin
  execute (
    select format('select jsonb_build_object(%s)',
      string_agg(format('%L, %s', a.attname, coalesce(pg_get_expr(d.adbin, d.adrelid), 'null')), ', '))
    from pg_catalog.pg_attribute as a
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = p_kind.table_name and a.attname = any (p_kind.client_columns)
  ) into v_defaults;
  return v_defaults || coalesce((
    select d.settings from public.environment_defaults as d
    where d.environment_stage = p_stage and d.component = p_kind.manifest_key
  ), '{}');
end;
$$;
comment on function private.component_defaults is
  'What each column of a component is that a manifest leaves out. For apply_manifest.';
grant execute on function private.component_defaults to authenticated;

create function private.change_row(p_path text, p_table regclass, p_id uuid, p_wanted jsonb, p_changes jsonb)
returns void
language sql volatile set search_path = ''
as $$
  select private.write(p_path, (
    select format('update %1$s set (%2$s) = (select %2$s from jsonb_populate_record(null::%1$s, $2)) where id = $1 returning id',
      p_table, string_agg(quote_ident(k.key), ', '))
    from jsonb_object_keys(p_changes) as k (key)
  ), p_id, p_wanted);
$$;
comment on function private.change_row is 'Gives the columns that change their wanted values, as the caller. For apply_manifest.';
grant execute on function private.change_row to authenticated;

create function private.delete_row(p_path text, p_table regclass, p_id uuid)
returns void
language sql volatile set search_path = ''
as $$
  select private.write(p_path, format('delete from %s where id = $1 returning id', p_table), p_id, null);
$$;
comment on function private.delete_row is 'Deletes a row, as the caller. For apply_manifest.';
grant execute on function private.delete_row to authenticated;

create function private.apply_components(p_vine public.vines, p_components jsonb)
returns table (action text, entry jsonb)
language plpgsql volatile set search_path = ''
as $$
declare
  v_label constant text := private.vine_label(p_vine);
  v_kind private.component_kinds;
  v_pair record;
  v_path text;
  v_defaults jsonb;
  v_wanted jsonb;
  v_changes jsonb;
begin
  for v_kind in select * from private.component_kinds order by manifest_key loop
    v_defaults := null;
    -- what stands beside what is wanted, by name; of a singleton, which has none, there is one of each at most
    for v_pair in execute format(
      'with standing as materialized (select to_jsonb(c) as item from %s as c where c.vine_id = $1 order by c.id for update) '
      'select coalesce(w.item ->> ''name'', s.item ->> ''name'') as name, s.item as standing, w.item as wanted '
      'from standing as s full join jsonb_array_elements($2) as w (item) '
      'on coalesce(s.item ->> ''name'', '''') = coalesce(w.item ->> ''name'', '''') order by 1', v_kind.table_name)
    using p_vine.id, p_components -> v_kind.manifest_key
    loop
      v_path := concat_ws('.', v_label, v_kind.manifest_key, v_pair.name);
      entry := jsonb_strip_nulls(jsonb_build_object('type', v_kind.component_type, 'vine', v_label, 'name', v_pair.name));
      if v_pair.wanted is null then
        perform private.delete_row(v_path, v_kind.table_name, (v_pair.standing ->> 'id')::uuid);
        action := 'remove';
        return next;
      elsif v_pair.standing is null then
        perform private.insert_row(v_path, v_kind.table_name, v_pair.wanted || jsonb_build_object('vine_id', p_vine.id));
        action := 'create';
        return next;
      else
        v_defaults := coalesce(v_defaults, private.component_defaults(v_kind, p_vine.environment_stage));
        v_wanted := private.client_config(v_kind, v_defaults || v_pair.wanted);
        v_changes := private.row_diff(private.client_config(v_kind, v_pair.standing), v_wanted);
        if v_changes <> '{}' then
          perform private.change_row(v_path, v_kind.table_name, (v_pair.standing ->> 'id')::uuid, v_wanted, v_changes);
          action := 'change';
          entry := entry || jsonb_build_object('changes', v_changes);
          return next;
        end if;
      end if;
    end loop;
  end loop;
end;
$$;
comment on function private.apply_components is
  'Brings a vine''s components to what a manifest describes, as the caller; gives the difference. For apply_manifest.';
grant execute on function private.apply_components to authenticated;

create function private.apply_vines(p_vineyard_id uuid, p_vines jsonb)
returns table (action text, entry jsonb)
language plpgsql volatile set search_path = ''
as $$
declare
  v_label text;
  v_wanted jsonb;
  v_vine public.vines;
  v_changes jsonb;
begin
  -- vines before their components, as everyone locks them
  perform from public.vines where vineyard_id = p_vineyard_id order by id for no key update;
  for v_label, v_wanted in select * from jsonb_each(p_vines) order by key loop
    select * into v_vine from public.vines as v
    where v.vineyard_id = p_vineyard_id and private.vine_label(v) = v_label and v.status <> 'DESTROYED';
    if not found then
      perform private.plant(v_label, jsonb_set(v_wanted, '{columns,vineyard_id}', to_jsonb(p_vineyard_id)));
      return query select 'create', jsonb_build_object('type', 'vine', 'vine', v_label);
      return query
      select 'create', jsonb_strip_nulls(jsonb_build_object('type', k.component_type, 'vine', v_label, 'name', c.item -> 'name'))
      from private.component_kinds as k
      cross join jsonb_array_elements(v_wanted -> 'components' -> k.manifest_key) as c (item)
      order by k.manifest_key, c.item ->> 'name';
      continue;
    end if;
    v_wanted := jsonb_set(v_wanted, '{columns}', to_jsonb(v_vine) || (v_wanted -> 'columns'));
    v_changes := private.row_diff(to_jsonb(v_vine), v_wanted -> 'columns');
    if v_changes <> '{}' then
      perform private.change_row(v_label, 'public.vines', v_vine.id, v_wanted -> 'columns', v_changes);
      return query select 'change', jsonb_build_object('type', 'vine', 'vine', v_label, 'changes', v_changes);
    end if;
    return query select * from private.apply_components(v_vine, v_wanted -> 'components');
  end loop;
  for v_vine in
    select v.* from public.vines as v
    where v.vineyard_id = p_vineyard_id and not p_vines ? private.vine_label(v)
    order by private.vine_label(v), v.id
  loop
    v_label := private.vine_label(v_vine);
    if v_vine.status in ('DRAFT', 'DESTROYED') then
      perform private.delete_row(v_label, 'public.vines', v_vine.id);
      return query select 'remove', jsonb_build_object('type', 'vine', 'vine', v_label);
    else
      return query select 'needs_destroy', jsonb_build_object('type', 'vine', 'vine', v_label, 'status', v_vine.status);
    end if;
  end loop;
end;
$$;
comment on function private.apply_vines is
  'Brings a vineyard''s vines to what a manifest describes, as the caller; gives the difference. For apply_manifest.';
grant execute on function private.apply_vines to authenticated;

create function private.apply_vineyard(p_manifest jsonb)
returns table (action text, entry jsonb)
language plpgsql volatile set search_path = ''
as $$
declare
  v_wanted jsonb := private.checked_row(
    null, 'public.vineyards', '{account_id,name,description}', p_manifest, '{vines}');
  v_name constant text := v_wanted ->> 'name';
  v_account_id constant uuid := coalesce((v_wanted ->> 'account_id')::uuid, private.personal_account_id());
  v_vines jsonb := '{}';
  v_path text;
  v_vine jsonb;
  v_vineyard public.vineyards;
  v_changes jsonb;
begin
  if jsonb_typeof(p_manifest -> 'vines') is distinct from 'array' then
    perform private.refuse_input('vines', 'a list is wanted');
  end if;
  for v_path, v_vine in
    select format('vines[%s]', r.place), r.item
    from jsonb_array_elements(p_manifest -> 'vines') with ordinality as r (item, place)
  loop
    v_vine := private.checked_vine(
      v_path, '{cloud_identity_id,project_name,environment_stage,region,terraform_version}', v_vine);
    v_path := concat_ws('/', v_vine #>> '{columns,project_name}', v_vine #>> '{columns,environment_stage}');
    if v_vines ? v_path then
      perform private.refuse_input('vines.' || v_path, 'this vine stands more than once');
    end if;
    v_vines := v_vines || jsonb_build_object(v_path, v_vine);
  end loop;

  if not exists (select from public.accounts where id = v_account_id) then
    perform private.raise_error('not_found', 'account', coalesce(v_account_id::text, 'of yours'));
  end if;
  perform pg_advisory_xact_lock(hashtextextended(format('vintner.apply_manifest %s %s', v_account_id, v_name), 0));
  if (select count(*) > 1 from public.vineyards where account_id = v_account_id and name = v_name) then
    perform private.refuse_input('name', format('this account has more than one vineyard %s', v_name));
  end if;
  select * into v_vineyard from public.vineyards where account_id = v_account_id and name = v_name;
  if not found then
    v_vineyard.id := private.insert_row('vineyard ' || v_name, 'public.vineyards',
      v_wanted || jsonb_build_object('account_id', v_account_id));
    return query select 'create', jsonb_build_object('type', 'vineyard', 'name', v_name);
  else
    v_wanted := to_jsonb(v_vineyard) || v_wanted;
    v_changes := private.row_diff(to_jsonb(v_vineyard), v_wanted);
    if v_changes <> '{}' then
      perform private.change_row('vineyard ' || v_name, 'public.vineyards', v_vineyard.id, v_wanted, v_changes);
      return query select 'change', jsonb_build_object('type', 'vineyard', 'name', v_name, 'changes', v_changes);
    end if;
  end if;
  return query select * from private.apply_vines(v_vineyard.id, v_vines);
end;
$$;
comment on function private.apply_vineyard is
  'Brings a vineyard to what a manifest describes, as the caller; gives the difference. For apply_manifest.';
grant execute on function private.apply_vineyard to authenticated;

create function public.apply_manifest(p_manifest jsonb, p_dry_run boolean default false)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_difference jsonb;
begin
  begin
    select jsonb_build_object(
      'create', coalesce(jsonb_agg(d.entry) filter (where d.action = 'create'), '[]'),
      'change', coalesce(jsonb_agg(d.entry) filter (where d.action = 'change'), '[]'),
      'remove', coalesce(jsonb_agg(d.entry) filter (where d.action = 'remove'), '[]'),
      'needs_destroy', coalesce(jsonb_agg(d.entry) filter (where d.action = 'needs_destroy'), '[]')
    ) into v_difference
    from private.apply_vineyard(p_manifest) as d;
    -- a dry run is a real one that is undone, so that the two cannot differ
    if p_dry_run is not false then
      raise exception 'dry run' using errcode = 'VT000';
    end if;
  exception
    when sqlstate 'VT000' then
      null;
  end;
  return v_difference;
end;
$$;
comment on function public.apply_manifest is
  'Brings a vineyard to the state that a manifest describes (account_id, name, description, vines), in one transaction, '
  'and answers the difference: create, change and remove, and needs_destroy, the vines left out whose resources may exist. '
  'Applying it again changes nothing. A dry run writes nothing. For operators; for admins where the vineyard itself changes.';
grant execute on function public.apply_manifest to authenticated;
