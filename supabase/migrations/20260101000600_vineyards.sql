-- Vineyards: workspaces that group vines. A vineyard belongs to an account; user_id is who made it.

create table public.vineyards (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null default private.personal_account_id() references public.accounts (id) on delete cascade,
  user_id uuid default private.current_user_id() references auth.users (id) on delete set null,
  name text not null check (name <> ''),
  description text,
  requires_approval boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (user_id, name)
);
comment on table public.vineyards is 'A workspace: a group of vines.';
comment on column public.vineyards.user_id is 'Who made it.';
comment on column public.vineyards.requires_approval is
  'Whether a DEPLOY or DESTROY of a production vine waits for an admin who neither asked for it nor planned it.';
create index vineyards_account_id_idx on public.vineyards (account_id);

create trigger set_updated_at
before update on public.vineyards
for each row execute function private.tg_set_updated_at();

create function private.tg_vineyards__guard_account()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform private.raise_error('not_allowed', 'move a vineyard to another account');
  return null;
end;
$$;
comment on function private.tg_vineyards__guard_account is
  'A vineyard stays in its account: whatever stands in it carries a copy of account_id, which policies read.';

create trigger guard_account
before update on public.vineyards
for each row when (new.account_id <> old.account_id)
execute function private.tg_vineyards__guard_account();

create trigger limit_size
before insert or update of name, description on public.vineyards
for each row execute function private.tg_limit_size();

alter table public.vineyards enable row level security;
create policy vineyards_select on public.vineyards for select to authenticated
using (account_id = any (array(select * from private.account_ids('viewer'))));
create policy vineyards_insert on public.vineyards for insert to authenticated
with check (account_id = any (array(select * from private.account_ids('admin'))));
create policy vineyards_update on public.vineyards for update to authenticated
using (account_id = any (array(select * from private.account_ids('admin'))));
create policy vineyards_delete on public.vineyards for delete to authenticated
using (account_id = any (array(select * from private.account_ids('admin'))));
grant select, delete on public.vineyards to authenticated, service_role;
grant insert (account_id, name, description, requires_approval) on public.vineyards to authenticated;
grant update (name, description, requires_approval) on public.vineyards to authenticated;
