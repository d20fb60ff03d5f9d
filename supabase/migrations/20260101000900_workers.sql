-- Workers: the Tendrils. Each is an auth user of its own whose password is its token, so that REST,
-- Realtime and refresh work for it as for anyone, and its id is all that a rule needs to know.

--------------------------------------------------------------------------------------------------
-- Releases
--------------------------------------------------------------------------------------------------

create function private.version_order(p_version text)
returns text[]
language sql immutable set search_path = ''
as $$
  select array[lpad(v.part[1], 20, '0'), lpad(v.part[2], 20, '0'), lpad(v.part[3], 20, '0')] || case
    -- sorts after every pre-release: '~' comes after all that one can hold
    when v.part[4] is null then '{~}'
    else array(
      select case when i.word ~ '^\d+$' then '0' || lpad(i.word, 20, '0') else '1' || i.word end
      from unnest(string_to_array(v.part[4], '.')) with ordinality as i (word, place)
      order by i.place
    )
  end collate "C"
  from regexp_match(
    p_version,
    '^(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,19})\.(0|[1-9]\d{0,19})'
    '(?:-((?:0|[1-9]\d{0,19}|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d{0,19}|\d*[A-Za-z-][0-9A-Za-z-]*))*))?'
    '(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$'
  ) as v (part)
  where v.part is not null;
$$;
comment on function private.version_order is
  'What semantic versions compare by (semver.org, section 11); null for a text that is none. For the functions below.';
grant execute on function private.version_order to authenticated, service_role;

create table public.worker_releases (
  id uuid primary key default gen_random_uuid(),
  version text not null unique check (private.version_order(version) is not null),
  release_notes text,
  released_at timestamptz not null default now()
);
comment on table public.worker_releases is 'Released versions of Tendril.';
comment on column public.worker_releases.version is 'Semantic version.';

create function public.newest_worker_release()
returns public.worker_releases
language sql stable set search_path = ''
as $$
  select r.* from public.worker_releases as r
  order by private.version_order(r.version) collate "C" desc, r.released_at desc
  limit 1;
$$;
comment on function public.newest_worker_release is
  'The release with the highest version, a pre-release below the version that it leads to. For authenticated.';
grant execute on function public.newest_worker_release to authenticated, service_role;

--------------------------------------------------------------------------------------------------
-- Tendrils
--------------------------------------------------------------------------------------------------

create table public.workers (
  id uuid primary key references auth.users (id) on delete restrict,
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null check (name <> ''),
  mode public.worker_mode not null default 'self-hosted',
  status public.worker_status not null default 'OFFLINE',
  token_hash text not null,
  version text,
  release_id uuid references public.worker_releases (id) on delete set null,
  last_heartbeat timestamptz,
  drain_requested_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  removed_at timestamptz
);
comment on table public.workers is 'Registered Tendrils.';
comment on column public.workers.id is 'The Tendril''s own auth user.';
comment on column public.workers.user_id is 'The owner, whose accounts'' jobs it may run.';
comment on column public.workers.token_hash is
  'SHA-256 of a token with 192 random bits: tells which token is in use and proves nothing.';
comment on column public.workers.drain_requested_at is 'Its owner wants it to end; until it has, it claims nothing.';
comment on column public.workers.removed_at is 'Removed ones stay, because jobs name them.';
create unique index workers_user_id_name_key on public.workers (user_id, name) where removed_at is null;
create index workers_user_id_idx on public.workers (user_id);
create index workers_heard_of_idx on public.workers (last_heartbeat) where status <> 'OFFLINE';
create index workers_release_id_idx on public.workers (release_id);

create trigger set_updated_at
before update on public.workers
for each row execute function private.tg_set_updated_at();

create trigger limit_size
before insert or update of name on public.workers
for each row execute function private.tg_limit_size();

create function public.is_outdated(p_worker public.workers)
returns boolean
language sql stable set search_path = ''
as $$
  select private.version_order(p_worker.version) < private.version_order(r.version) collate "C"
  from public.newest_worker_release() as r;
$$;
comment on function public.is_outdated is
  'Whether there is a newer release of Tendril; null while its version or the releases are unknown. A computed field: '
  'select=*,is_outdated. For whoever sees the Tendril.';
grant execute on function public.is_outdated to authenticated, service_role;

create function private.heartbeat_interval()
returns interval
language sql immutable set search_path = ''
as $$ select interval '15 seconds' $$;
comment on function private.heartbeat_interval is 'How often a Tendril reports; the server dictates it.';

create function private.lease_duration()
returns interval
language sql immutable set search_path = ''
as $$ select interval '60 seconds' $$;
comment on function private.lease_duration is 'A Tendril unheard of for so long is OFFLINE and its jobs are lost.';

--------------------------------------------------------------------------------------------------
-- Registration
--------------------------------------------------------------------------------------------------

create function private.new_tendril_token(p_worker_id uuid)
returns text
language sql volatile set search_path = ''
as $$
  -- the bcrypt hash takes 72 bytes at most: 3 + 36 + 1 + 32 stays just within
  select 'vt_' || p_worker_id || '_' || translate(encode(extensions.gen_random_bytes(24), 'base64'), '+/', '-_');
$$;
comment on function private.new_tendril_token is 'A token that nobody has seen. For the functions that make and rotate.';

create function private.make_tendril(p_owner uuid, p_name text, p_mode public.worker_mode)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_id constant uuid := gen_random_uuid();
  v_token constant text := private.new_tendril_token(v_id);
  v_email constant text := v_id || '@tendril.invalid';
begin
  if coalesce(p_name, '') = '' then
    perform private.raise_error('invalid_input', 'A Tendril needs a name.');
  elsif not exists (select from public.users as u where u.auth_user_id = p_owner) then
    perform private.raise_error('not_found', 'user', p_owner::text);
  end if;
  insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
    confirmation_token, recovery_token, email_change, email_change_token_new,
    raw_app_meta_data, raw_user_meta_data, created_at, updated_at
  ) values (
    '00000000-0000-0000-0000-000000000000', v_id, 'authenticated', 'authenticated', v_email,
    extensions.crypt(v_token, extensions.gen_salt('bf', 10)), now(), '', '', '', '',
    '{"kind": "tendril", "provider": "email", "providers": ["email"]}', '{}', now(), now()
  );
  insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)
  values (
    gen_random_uuid(), v_id, v_id, 'email',
    jsonb_build_object('sub', v_id, 'email', v_email, 'email_verified', true), now(), now()
  );
  begin
    insert into public.workers (id, user_id, name, mode, token_hash)
    values (v_id, p_owner, p_name, p_mode, encode(extensions.digest(v_token, 'sha256'), 'hex'));
  exception
    when unique_violation then
      perform private.raise_error('worker_exists', p_name);
  end;
  return jsonb_build_object('worker_id', v_id, 'token', v_token);
end;
$$;
comment on function private.make_tendril is 'Makes a Tendril and its auth user. For the two functions below; granted to nobody.';

create function private.register_tendril(p_name text, p_mode public.worker_mode)
returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if private.current_user_id() is null then
    perform private.raise_error('not_signed_in');
  elsif exists (select from public.workers as w where w.id = private.current_user_id()) then
    perform private.raise_error('not_allowed', 'register a Tendril: you are one');
  elsif p_mode is distinct from 'self-hosted' then
    -- it would be handed the credentials of accounts that are not the caller's
    perform private.raise_error('not_allowed', 'register a cloud-hosted Tendril: who runs this project may');
  end if;
  return private.make_tendril(private.current_user_id(), p_name, p_mode);
end;
$$;
comment on function private.register_tendril is 'See public.register_tendril.';
grant execute on function private.register_tendril to authenticated;

create function public.register_tendril(p_name text, p_mode public.worker_mode default 'self-hosted')
returns jsonb
language sql volatile set search_path = ''
as $$ select private.register_tendril(p_name, p_mode) $$;
comment on function public.register_tendril is
  'Makes a self-hosted Tendril of the caller''s and returns {worker_id, token}. The token is shown this once. '
  'For authenticated.';
grant execute on function public.register_tendril to authenticated;

create function private.register_cloud_tendril(p_name text, p_owner uuid)
returns jsonb
language sql volatile security definer set search_path = ''
as $$ select private.make_tendril(p_owner, p_name, 'cloud-hosted') $$;
comment on function private.register_cloud_tendril is 'See public.register_cloud_tendril.';
grant execute on function private.register_cloud_tendril to service_role;

create function public.register_cloud_tendril(p_name text, p_owner uuid)
returns jsonb
language sql volatile set search_path = ''
as $$ select private.register_cloud_tendril(p_name, p_owner) $$;
comment on function public.register_cloud_tendril is
  'Makes a cloud-hosted Tendril, which serves every account that has none of its own and is handed their credentials. '
  'Returns {worker_id, token}. For service_role.';
grant execute on function public.register_cloud_tendril to service_role;

create function private.tg_workers__remove_auth_user()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  delete from auth.users where id = old.id;
  return null;
end;
$$;
comment on function private.tg_workers__remove_auth_user is 'A Tendril that goes with its owner takes its sign-in along.';

create trigger remove_auth_user
after delete on public.workers
for each row execute function private.tg_workers__remove_auth_user();

create function private.tg_auth_users__keep_tendril()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.raise_error('not_allowed', 'change how a Tendril signs in: rotate its token');
  return new;
end;
$$;
comment on function private.tg_auth_users__keep_tendril is
  'Keeps Auth from giving a Tendril another password or a real address: whoever holds a stolen token could stay by them.';

create trigger vintner_keep_tendril
before update of email, phone, encrypted_password, email_change, phone_change on auth.users
for each row
when (
  old.raw_app_meta_data ->> 'kind' = 'tendril'
  and current_user = 'supabase_auth_admin'
  and (new.email, new.phone, new.encrypted_password, new.email_change, new.phone_change)
    is distinct from (old.email, old.phone, old.encrypted_password, old.email_change, old.phone_change)
)
execute function private.tg_auth_users__keep_tendril();

create function private.session_user_id()
returns uuid
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt();
  v_session_id constant text := v_claims ->> 'session_id';
  v_sub constant text := v_claims ->> 'sub';
begin
  if v_session_id is not null then
    -- by itself: of a condition that null settles, the planner would make another plan at each call
    perform from auth.sessions as s
    where s.id = case
      when v_session_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then v_session_id::uuid
    end;
    if not found then
      perform private.raise_error('not_signed_in');
    end if;
  end if;
  -- what current_user_id finds out by a regular expression, which would cost every step of a job more than this
  if v_sub like '________-____-____-____-____________' and translate(v_sub, '0123456789abcdef', '') = '----' then
    return v_sub::uuid;
  end if;
  return null;
end;
$$;
comment on function private.session_user_id is
  'The caller''s auth user id, or null; refuses an access token whose session has ended. Such a token holds for up to an '
  'hour; what Tendrils may do must end with their session. For every function of theirs.';

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.worker_releases enable row level security;
create policy worker_releases_select on public.worker_releases for select to authenticated using (true);
grant select on public.worker_releases to authenticated;
grant select, insert, update, delete on public.worker_releases to service_role;

alter table public.workers enable row level security;
create policy workers_select on public.workers for select to authenticated
using (
  user_id = (select private.current_user_id())
  or id = (select private.current_user_id())
  -- those that serve an account of the caller's: private.serves says the same of one
  or (mode = 'self-hosted' and user_id = any (array(select private.fellow_ids('admin'))))
);
comment on policy workers_select on public.workers is
  'Its owner sees a Tendril, it sees itself, and whoever belongs to an account that it serves sees it.';
create policy workers_update on public.workers for update to authenticated
using (user_id = (select private.current_user_id()));
grant select, update (name) on public.workers to authenticated;
grant select on public.workers to service_role;
