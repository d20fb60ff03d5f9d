-- Job context: all that a Tendril needs to run the job it holds, in one call. This is the contract
-- between the database and Terraform templates: docs/job-context.md, version 1.

create function private.describe_components(p_vine_id uuid)
returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_kind private.component_kinds;
  v_rows jsonb;
  v_result jsonb := '{}';
begin
  for v_kind in select * from private.component_kinds order by manifest_key loop
    execute format(
      'select coalesce(jsonb_agg(private.client_config($2, to_jsonb(c))%s), ''[]'') from %s as c where c.vine_id = $1',
      case when v_kind.is_singleton then '' else ' order by c.name' end, v_kind.table_name)
    into v_rows
    using p_vine_id, v_kind;
    v_result := v_result || jsonb_build_object(
      v_kind.manifest_key, case when v_kind.is_singleton then v_rows -> 0 else v_rows end);
  end loop;
  return v_result;
end;
$$;
comment on function private.describe_components is
  'A vine''s components as a manifest holds them: singletons as an object or null, the others as a list by name.';

create function private.get_job_context(p_job_id uuid, p_attempt integer)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_vine public.vines;
  v_identity public.cloud_identities;
begin
  select * into v_vine from public.vines where id = v_job.vine_id;
  select * into v_identity from public.cloud_identities where id = v_job.cloud_identity_id;
  return jsonb_build_object(
    'version', 1,
    'job', jsonb_build_object(
      'id', v_job.id, 'job_type', v_job.job_type, 'attempt', v_job.attempt, 'plan_job_id', v_job.plan_job_id),
    'cloud_identity', case when v_identity.id is not null then
      jsonb_build_object('id', v_identity.id, 'name', v_identity.name, 'provider', v_identity.provider)
    end,
    'vine', case when v_vine.id is not null then jsonb_build_object(
      'id', v_vine.id,
      'project_name', v_vine.project_name,
      'environment_stage', v_vine.environment_stage,
      'region', v_vine.region,
      'terraform_version', v_vine.terraform_version,
      'provider', v_identity.provider,
      'name_prefix', public.name_prefix(v_vine),
      'state_path', public.state_path(v_vine)
    ) end,
    'components', case when v_vine.id is not null then private.describe_components(v_vine.id) end,
    'credentials', coalesce(private.decrypted_credentials(v_identity), '{}'),
    'next_log_seq', private.next_log_seq(v_job.id)
  );
end;
$$;
comment on function private.get_job_context is 'See public.get_job_context.';
grant execute on function private.get_job_context to authenticated;

create function public.get_job_context(p_job_id uuid, p_attempt integer)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.get_job_context(p_job_id, p_attempt) $$;
comment on function public.get_job_context is
  'The job, its vine with components and names, or its cloud identity alone, and the credentials in clear. For the Tendril '
  'that holds the job.';
grant execute on function public.get_job_context to authenticated;
