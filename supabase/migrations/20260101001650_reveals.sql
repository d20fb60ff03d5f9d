-- Reveals: a secret in clear, for people whose role allows it. Each writes the audit log before it answers.

create function private.reveal_credentials(p_cloud_identity_id uuid)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_identity public.cloud_identities;
begin
  select * into v_identity from public.cloud_identities
  where id = p_cloud_identity_id and account_id = any (array(select * from private.account_ids('viewer')));
  if not found then
    perform private.raise_error('not_found', 'cloud identity', p_cloud_identity_id::text);
  end if;
  perform private.require_role(v_identity.account_id, 'admin', 'see credentials');
  perform private.write_audit(v_identity.account_id, null, 'REVEALED', 'cloud_identity', v_identity.id);
  return private.decrypted_credentials(v_identity);
end;
$$;
comment on function private.reveal_credentials is 'See public.reveal_credentials.';
grant execute on function private.reveal_credentials to authenticated;

create function public.reveal_credentials(p_cloud_identity_id uuid)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.reveal_credentials(p_cloud_identity_id) $$;
comment on function public.reveal_credentials is
  'A cloud identity''s credentials in clear; the audit log tells of it. For admins of its account.';
grant execute on function public.reveal_credentials to authenticated;

create function private.reveal_argocd_admin_password(p_vine_id uuid)
returns text
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_cluster public.vine_cluster;
begin
  select * into v_cluster from public.vine_cluster
  where vine_id = p_vine_id and account_id = any (array(select * from private.account_ids('viewer')));
  if not found then
    perform private.raise_error('not_found', 'cluster of the vine', p_vine_id::text);
  end if;
  perform private.require_role(v_cluster.account_id, 'admin', 'see the password of ArgoCD');
  perform private.write_audit(v_cluster.account_id, p_vine_id, 'REVEALED', 'cluster', v_cluster.id);
  return private.decrypt(v_cluster.argocd_admin_password, 'argocd_admin_password', v_cluster.id);
end;
$$;
comment on function private.reveal_argocd_admin_password is 'See public.reveal_argocd_admin_password.';
grant execute on function private.reveal_argocd_admin_password to authenticated;

create function public.reveal_argocd_admin_password(p_vine_id uuid)
returns text
language sql volatile set search_path = ''
as $$ select private.reveal_argocd_admin_password(p_vine_id) $$;
comment on function public.reveal_argocd_admin_password is
  'The password of the ArgoCD on a vine''s cluster in clear, or null while there is none; the audit log tells of it. '
  'For admins of its account: it opens whatever the cluster runs, as the cloud credentials do.';
grant execute on function public.reveal_argocd_admin_password to authenticated;

create function private.reveal_provider_token(p_provider_token_id uuid)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_token public.provider_tokens;
begin
  select * into v_token from public.provider_tokens
  where id = p_provider_token_id and user_id = private.current_user_id();
  if not found then
    perform private.raise_error('not_found', 'provider token', p_provider_token_id::text);
  end if;
  perform private.write_audit(a.id, null, 'REVEALED', 'provider_token', v_token.id)
  from public.accounts as a where a.personal_user_id = v_token.user_id;
  return jsonb_build_object(
    'access_token', private.decrypt(v_token.access_token, 'access_token', v_token.id),
    'refresh_token', private.decrypt(v_token.refresh_token, 'refresh_token', v_token.id));
end;
$$;
comment on function private.reveal_provider_token is 'See public.reveal_provider_token.';
grant execute on function private.reveal_provider_token to authenticated;

create function public.reveal_provider_token(p_provider_token_id uuid)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.reveal_provider_token(p_provider_token_id) $$;
comment on function public.reveal_provider_token is
  'A provider token''s access_token and refresh_token in clear; the audit log tells of it. For the user whose it is.';
grant execute on function public.reveal_provider_token to authenticated;
