-- Realtime's part of the database: broadcast from SQL and the table whose policies decide who may
-- join a private channel. Shapes, owners and grants are those of a hosted project.

alter role supabase_realtime_admin set search_path = public, extensions, realtime;
grant anon, authenticated, service_role to supabase_realtime_admin;

create schema realtime;
grant all on schema realtime to supabase_realtime_admin with grant option;
grant usage on schema realtime to postgres with grant option;
grant usage on schema realtime to anon, authenticated, service_role;

-- Hosted projects partition this table by day and drop old days; here the server deletes old rows.
create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  id uuid not null default gen_random_uuid(),
  primary key (id, inserted_at)
);
create index messages_inserted_at_topic_index
  on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

create publication supabase_realtime_messages_publication for table realtime.messages
  with (publish = 'insert');

create function realtime.topic()
returns text
language sql stable
as $$
  select nullif(current_setting('realtime.topic', true), '');
$$;

-- Anyone may execute it, as on a hosted project: it runs with the caller's rights, so the policies
-- on realtime.messages decide. A trigger that broadcasts for its users is SECURITY DEFINER.
create function realtime.send(
  payload jsonb,
  event text,
  topic text,
  private boolean default true
)
returns void
language plpgsql
as $$
declare
  v_id constant uuid := gen_random_uuid();
begin
  perform set_config('realtime.topic', send.topic, true);
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (
    v_id,
    case when send.payload ? 'id' then send.payload
         else jsonb_set(send.payload, '{id}', to_jsonb(v_id)) end,
    send.event, send.topic, send.private, 'broadcast'
  );
exception
  when others then
    raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
end;
$$;

create function realtime.broadcast_changes(
  topic_name text,
  event_name text,
  operation text,
  table_name text,
  table_schema text,
  new record,
  old record,
  level text default 'ROW'
)
returns void
language plpgsql
as $$
begin
  if level = 'STATEMENT' then
    raise exception 'function can only be triggered for each row, not for each statement';
  end if;
  if operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'Unexpected operation type: %', operation;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'operation', operation,
      'schema', table_schema,
      'table', table_name,
      'record', broadcast_changes.new,
      'old_record', broadcast_changes.old
    ),
    event_name,
    topic_name
  );
exception
  when others then
    raise exception 'Failed to process the row: %', sqlerrm;
end;
$$;

alter function realtime.topic() owner to supabase_realtime_admin;
alter function realtime.send(jsonb, text, text, boolean) owner to supabase_realtime_admin;
alter function realtime.broadcast_changes(text, text, text, text, text, record, record, text)
  owner to supabase_realtime_admin;

-- The server's own helpers, apart from what a hosted project has, so that no migration leans on
-- them.
create schema _realtime;

-- Whether each of several readers sees a row: `p_query` answers one boolean for the key `p_key` and
-- runs once for each pair of role and claims. A policy that raises hides the row from that reader
-- alone, and the reader's line says why. Runs as a superuser, who may take any role.
create function _realtime.visible_to(
  p_query text,
  p_key text[],
  p_roles text[],
  p_claims text[]
)
returns table (visible boolean, problem text)
language plpgsql volatile
as $$
begin
  for i in 1 .. cardinality(p_roles) loop
    begin
      perform set_config('role', p_roles[i], true),
              set_config('request.jwt.claims', p_claims[i], true),
              set_config('search_path', 'public, extensions, realtime', true);
      execute p_query into visible using p_key;
      problem := null;
    exception
      when others then
        visible := false;
        problem := sqlstate || ' ' || sqlerrm;
    end;
    perform set_config('role', 'none', true);
    return next;
  end loop;
end;
$$;
revoke execute on all functions in schema _realtime from public;
