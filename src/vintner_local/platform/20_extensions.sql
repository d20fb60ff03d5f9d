-- Extensions live in a schema of their own. Those that only a superuser may create are created
-- here; a hosted project allows them by other means, so `create extension if not exists` passes on
-- both.

create schema extensions;
grant usage on schema extensions to public;
grant create on schema extensions to postgres;

create extension pgcrypto schema extensions;
create extension "uuid-ossp" schema extensions;
create extension pg_trgm schema extensions;

-- the older servers that the migrations are tried on lack it
do $$
begin
  if exists (select from pg_available_extensions where name = 'vector') then
    create extension vector schema extensions;
  end if;
end;
$$;
