-- The tables of the recorded conversations.
create type public.mood as enum ('happy', 'sad');

create table public.job_events (
  id bigint primary key,
  job_id uuid,
  user_id uuid default '11111111-1111-4111-8111-111111111111',
  kind text,
  n integer,
  amount numeric,
  ratio double precision,
  ok boolean,
  data jsonb,
  tags text[],
  m public.mood,
  at timestamptz,
  d date,
  tsn timestamp,
  big text,
  secret text,
  bin bytea,
  i8 bigint,
  vc varchar,
  nums integer[]
);
alter table public.job_events alter column big set storage external;
alter table public.job_events enable row level security;
create policy own on public.job_events for select to authenticated
  using (user_id = auth.uid());

create table public.je_full (id bigint primary key, job_id uuid, user_id uuid, kind text);
alter table public.je_full replica identity full;
alter table public.je_full enable row level security;
create policy own on public.je_full for select to authenticated using (user_id = auth.uid());

create table public.open_full (id bigint primary key, job_id uuid, kind text);
alter table public.open_full replica identity full;
create table public.open_default (id bigint primary key, job_id uuid, kind text, big text);
create table public.no_grant (id bigint primary key, kind text);
create table public.no_pk (id bigint, kind text);
create table public.not_in_pub (id bigint primary key);

grant select on public.job_events, public.je_full, public.open_full, public.open_default,
  public.no_pk, public.not_in_pub to anon, authenticated, service_role;

alter publication supabase_realtime add table
  public.job_events, public.je_full, public.open_full, public.open_default,
  public.no_grant, public.no_pk;

-- Tables for what the recordings do not show.
create table public.partly_granted (id bigint primary key, kind text, hidden text);
grant select (id, kind) on public.partly_granted to authenticated;

create table public.strict_policy (id bigint primary key, user_id uuid);
alter table public.strict_policy enable row level security;
create policy own on public.strict_policy for select to authenticated
  using (user_id = (current_setting('request.jwt.claims')::json ->> 'sub')::uuid);

create table public.typed (
  id bigint primary key,
  n integer,
  kind text,
  short varchar(5),
  ok boolean,
  m public.mood,
  at timestamptz,
  tags text[]
);

create table public.wide (id bigint primary key, n integer, big text);
alter table public.wide alter column big set storage external;
alter table public.wide replica identity full;

grant select on public.strict_policy, public.typed, public.wide to authenticated;
alter publication supabase_realtime add table
  public.partly_granted, public.strict_policy, public.typed, public.wide;
