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

create function private.describe_job(p_vine_id uuid, p_cloud_identity_id uuid)
returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object(
    'cloud_identity', case when c.id is not null then
      jsonb_build_object('id', c.id, 'name', c.name, 'provider', c.provider)
    end,
    'vine', case when v.id is not null then jsonb_build_object(
      'id', v.id,
      'project_name', v.project_name,
      'environment_stage', v.environment_stage,
      'region', v.region,
      'terraform_version', v.terraform_version,
      'provider', c.provider,
      'name_prefix', public.name_prefix(v),
      'state_path', public.state_path(v)
    ) end,
    'components', case when v.id is not null then private.describe_components(v.id) end
  )
  from (values (p_vine_id, p_cloud_identity_id)) as j (vine_id, cloud_identity_id)
  left join public.vines as v on v.id = j.vine_id
  left join public.cloud_identities as c on c.id = j.cloud_identity_id;
$$;
comment on function private.describe_job is
  'What a job of this vine, or of the cloud identity alone, is about, without secrets. For get_job_context.';

create function private.context_sha256(p_vine_id uuid, p_cloud_identity_id uuid)
returns text
language sql stable security definer set search_path = ''
as $$
  -- what the identity is called makes no difference; of its credentials the version alone goes in, so that
  -- nobody can try out secrets on the hash
  select encode(sha256(convert_to(jsonb_build_object(
    'told', private.describe_job(p_vine_id, p_cloud_identity_id) #- '{cloud_identity,name}',
    'credentials', (select c.credentials_version from public.cloud_identities as c where c.id = p_cloud_identity_id)
  )::text, 'UTF8')), 'hex');
$$;
comment on function private.context_sha256 is
  'Stands for what a job''s result rests on: another one, and the result is overtaken. For get_job_context and for whoever '
  'asks whether a saved plan or a connection test still holds; granted to nobody.';

create function private.get_job_context(p_job_id uuid, p_attempt integer)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_context jsonb;
  v_sha256 text;
begin
  -- in one look, so that the hash is of what is told
  select
    private.describe_job(v_job.vine_id, v_job.cloud_identity_id) || jsonb_build_object('credentials', coalesce((
      select private.decrypted_credentials(c) from public.cloud_identities as c where c.id = v_job.cloud_identity_id
    ), '{}')),
    private.context_sha256(v_job.vine_id, v_job.cloud_identity_id)
  into v_context, v_sha256;
  if v_job.job_type in ('PLAN', 'CONNECTION_TEST') then
    update public.provision_jobs set context_sha256 = v_sha256 where id = v_job.id;
    -- what an earlier attempt saved, or this one before, is of what it was told then
    delete from private.saved_plans where job_id = v_job.id and v_sha256 is distinct from v_job.context_sha256;
  elsif v_sha256 is distinct from (
    select p.context_sha256 from public.provision_jobs as p where p.id = v_job.plan_job_id
  ) and v_job.plan_job_id is not null then
    -- with other credentials the plan would be applied to another cloud account
    perform private.raise_error('plan_unusable', v_job.plan_job_id::text,
      'the vine, its components or its cloud identity are not what was planned');
  end if;
  return v_context || jsonb_build_object(
    'version', 1,
    'job', jsonb_build_object(
      'id', v_job.id, 'job_type', v_job.job_type, 'attempt', v_job.attempt, 'plan_job_id', v_job.plan_job_id),
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
