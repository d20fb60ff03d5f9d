-- Vineyards: workspaces that group vines. A vineyard belongs to an account; user_id is who made it.

create table public.vineyards (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null default private.personal_account_id() references public.accounts (id) on delete cascade,
  user_id uuid default private.current_user_id() references auth.users (id) on delete set null,
  name text not null check (name <> ''),
  description text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, name)
);
comment on table public.vineyards is 'A workspace: a group of vines.';
comment on column public.vineyards.user_id is 'Who made it.';
create index vineyards_account_id_idx on public.vineyards (account_id);

create trigger set_updated_at
before update on public.vineyards
for each row execute function private.tg_set_updated_at();

create function private.vineyard_ids(p_role public.account_role)
returns setof uuid
language sql stable security definer set search_path = ''
as $$
  select v.id from public.vineyards as v
  where v.account_id = any (array(select private.account_ids(p_role)));
$$;
comment on function private.vineyard_ids is
  'The vineyards of accounts in which the caller has at least this role. For policies.';
grant execute on function private.vineyard_ids to authenticated, service_role;

alter table public.vineyards enable row level security;
create policy vineyards_select on public.vineyards for select to authenticated
using (account_id = any (array(select private.account_ids('viewer'))));
create policy vineyards_insert on public.vineyards for insert to authenticated
with check (account_id = any (array(select private.account_ids('admin'))));
create policy vineyards_update on public.vineyards for update to authenticated
using (account_id = any (array(select private.account_ids('admin'))));
create policy vineyards_delete on public.vineyards for delete to authenticated
using (account_id = any (array(select private.account_ids('admin'))));
grant select, delete on public.vineyards to authenticated, service_role;
grant insert (account_id, name, description) on public.vineyards to authenticated;
grant update (name, description) on public.vineyards to authenticated;
