-- Managing Tendrils: what their owners do with them. A Tendril that gets a new token or is removed is cut
-- off at once: its sessions end, what it still says is refused, and its jobs are resolved as lost.

create function private.managed_worker(p_worker_id uuid)
returns public.workers
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_is_operator constant boolean := coalesce(auth.jwt() ->> 'role' = 'service_role', false);
  v_worker public.workers;
begin
  select * into v_worker from public.workers
  where id = p_worker_id and removed_at is null and (user_id = private.current_user_id() or v_is_operator)
  for no key update;
  if not found then
    perform private.raise_error('not_found', 'Tendril', p_worker_id::text);
  elsif v_worker.mode <> 'self-hosted' and not v_is_operator then
    -- its token opens the credentials of accounts that are not the caller's
    perform private.raise_error('not_allowed', 'manage a cloud-hosted Tendril: who runs this project may');
  end if;
  return v_worker;
end;
$$;
comment on function private.managed_worker is
  'The Tendril, locked, if the caller may manage it: its owner a self-hosted one, service_role each. For the functions below.';

create function private.cut_off(p_worker_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- their refresh tokens go with them
  delete from auth.sessions where user_id = p_worker_id;
  -- another way to sign in, that the holder of a stolen token may have added
  delete from auth.identities where user_id = p_worker_id and provider <> 'email';
  -- where jobs must wait because their vines are in use, the sweep finds it once more
  update public.workers
  set status = case when private.lose_jobs(p_worker_id, '{}') then 'OFFLINE' else 'DRAINING' end::public.worker_status,
      drain_requested_at = null
  where id = p_worker_id;
end;
$$;
comment on function private.cut_off is 'Ends a Tendril''s sessions and resolves its jobs. For the functions below.';

create function private.rotate_tendril_token(p_worker_id uuid)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_worker constant public.workers := private.managed_worker(p_worker_id);
  v_token constant text := private.new_tendril_token(v_worker.id);
begin
  update auth.users
  set encrypted_password = extensions.crypt(v_token, extensions.gen_salt('bf', 10)), updated_at = now()
  where id = v_worker.id;
  update public.workers set token_hash = encode(extensions.digest(v_token, 'sha256'), 'hex') where id = v_worker.id;
  perform private.cut_off(v_worker.id);
  return jsonb_build_object('worker_id', v_worker.id, 'token', v_token);
end;
$$;
comment on function private.rotate_tendril_token is 'See public.rotate_tendril_token.';
grant execute on function private.rotate_tendril_token to authenticated, service_role;

create function public.rotate_tendril_token(p_worker_id uuid)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.rotate_tendril_token(p_worker_id) $$;
comment on function public.rotate_tendril_token is
  'Gives a Tendril a new token and returns {worker_id, token}, shown this once. The old one no longer holds, nor does any '
  'session from it, and running jobs are lost: drain first to spare them. For its owner; service_role for any.';
grant execute on function public.rotate_tendril_token to authenticated, service_role;

create function private.remove_tendril(p_worker_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_worker constant public.workers := private.managed_worker(p_worker_id);
begin
  update auth.users set encrypted_password = null, banned_until = '3000-01-01', updated_at = now() where id = v_worker.id;
  update public.workers set removed_at = now() where id = v_worker.id;
  perform private.cut_off(v_worker.id);
end;
$$;
comment on function private.remove_tendril is 'See public.remove_tendril.';
grant execute on function private.remove_tendril to authenticated, service_role;

create function public.remove_tendril(p_worker_id uuid)
returns void
language sql volatile set search_path = ''
as $$ select private.remove_tendril(p_worker_id) $$;
comment on function public.remove_tendril is
  'Removes a Tendril for good: it signs in no more, and its running jobs are lost. Its row stays, because jobs name it. '
  'For its owner; service_role for any.';
grant execute on function public.remove_tendril to authenticated, service_role;

create function private.drain_tendril(p_worker_id uuid)
returns public.workers
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_worker public.workers := private.managed_worker(p_worker_id);
begin
  if v_worker.status <> 'OFFLINE' then
    update public.workers set status = 'DRAINING', drain_requested_at = coalesce(drain_requested_at, now())
    where id = v_worker.id
    returning * into v_worker;
  end if;
  return v_worker;
end;
$$;
comment on function private.drain_tendril is 'See public.drain_tendril.';
grant execute on function private.drain_tendril to authenticated, service_role;

create function public.drain_tendril(p_worker_id uuid)
returns public.workers
language sql volatile set search_path = ''
as $$ select private.drain_tendril(p_worker_id) $$;
comment on function public.drain_tendril is
  'Lets a Tendril end gently: it claims nothing more from now on, and its next heartbeat tells it to finish what it has '
  'and to end. Started again, it works as before. An OFFLINE one stays as it is. For its owner; service_role for any.';
grant execute on function public.drain_tendril to authenticated, service_role;
