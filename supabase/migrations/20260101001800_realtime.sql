-- Realtime: what clients may follow. Changes of five tables, for any client; and broadcasts from the
-- database, which arrive sooner, for those that know the topics:
--
--   job:<id>     'log'     {job_id, chunks: [{seq, log_chunk, stream_type, created_at}]}, a batch of its log
--   worker:<id>  'wake'    {}, there is a job to claim
--                'cancel'  {job_id}, that job is to stop
--
-- Both may be lost. A reader sees a hole in seq and fetches it; a Tendril asks now and then anyway.

--------------------------------------------------------------------------------------------------
-- Changes of tables
--------------------------------------------------------------------------------------------------

-- RLS judges each subscriber, except for DELETE events, which reach everyone with the key alone: nothing
-- secret may stand in a key. The replica identity stays the primary key, which is all that a store needs to
-- forget a row; with the full row, an UPDATE would show what it was before to those who see it only now.
alter publication supabase_realtime add table
  public.provision_job_logs,
  public.provision_jobs,
  public.workers,
  public.vineyards,
  public.vines;

--------------------------------------------------------------------------------------------------
-- Who may listen
--------------------------------------------------------------------------------------------------

create function private.may_listen(p_topic text)
returns boolean
language sql stable security definer set search_path = ''
as $$
  select case
    when p_topic ~ '^job:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then exists (
      select from public.provision_jobs as j
      where j.id = substr(p_topic, 5)::uuid and (
        j.account_id = any (array(select * from private.account_ids('viewer')))
        or (j.worker_id = private.current_user_id() and j.status in ('CLAIMED', 'PROCESSING'))
      )
    )
    when p_topic ~ '^worker:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then exists (
      select from public.workers as w
      where w.id = substr(p_topic, 8)::uuid and w.id = private.current_user_id() and w.removed_at is null
    )
    else false
  end;
$$;
comment on function private.may_listen is
  'Whether the caller may join a private channel: members of its account and the Tendril that holds it a job''s, a Tendril '
  'its own. Raises for no topic and no token. For the policy on realtime.messages.';
grant execute on function private.may_listen to authenticated;

-- There is no policy for INSERT: only the database sends.
create policy vintner_listen on realtime.messages for select to authenticated
using (extension = 'broadcast' and (select private.may_listen((select realtime.topic()))));

--------------------------------------------------------------------------------------------------
-- What is sent
--------------------------------------------------------------------------------------------------
-- realtime.send turns its own failures into warnings: a broadcast never fails what it reports.

create function private.broadcast_limit()
returns integer
language sql immutable set search_path = ''
as $$ select 250000 $$;
comment on function private.broadcast_limit is 'Bytes of a broadcast''s payload; Realtime takes 256 KB everywhere.';

create function private.tg_provision_job_logs__broadcast()
returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_row record;
  v_job_id uuid;
  v_chunks jsonb[] := '{}';
  v_bytes integer := 0;
begin
  for v_row in
    select c.job_id, c.chunk, octet_length(c.chunk::text) + 2 as bytes
    from (
      select i.job_id, i.seq, jsonb_build_object(
        'seq', i.seq, 'log_chunk', i.log_chunk, 'stream_type', i.stream_type, 'created_at', i.created_at) as chunk
      from inserted as i
    ) as c
    order by c.job_id, c.seq
  loop
    if v_row.job_id <> v_job_id or v_bytes + v_row.bytes > private.broadcast_limit() then
      perform realtime.send(jsonb_build_object('job_id', v_job_id, 'chunks', to_jsonb(v_chunks)), 'log', 'job:' || v_job_id, true);
      v_chunks := '{}';
      v_bytes := 0;
    end if;
    v_job_id := v_row.job_id;
    v_chunks := v_chunks || v_row.chunk;
    v_bytes := v_bytes + v_row.bytes;
  end loop;
  if v_job_id is not null then
    perform realtime.send(jsonb_build_object('job_id', v_job_id, 'chunks', to_jsonb(v_chunks)), 'log', 'job:' || v_job_id, true);
  end if;
  return null;
end;
$$;
comment on function private.tg_provision_job_logs__broadcast is
  'Sends a batch of log chunks to the job''s channel: one message, or as few as the payload limit allows.';

create trigger broadcast
after insert on public.provision_job_logs
referencing new table as inserted
for each statement execute function private.tg_provision_job_logs__broadcast();

create function private.wake_tendrils(p_account_id uuid)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_woken constant text := coalesce(current_setting('vintner.woken', true), '');
begin
  -- once a transaction: a message arrives when it commits, whatever else it queues
  if position(p_account_id::text in v_woken) > 0 then
    return;
  end if;
  -- a Tendril that ends a job asks for the next one itself
  if current_setting('vintner.acting', true) is distinct from 'database' and exists (
    select from public.workers as w where w.id = (select private.current_user_id()) and w.status = 'ONLINE'
  ) then
    return;
  end if;
  perform set_config('vintner.woken', v_woken || p_account_id, true);
  perform realtime.send('{}', 'wake', 'worker:' || w.id, true)
  from (
    select o.id, o.status
    from public.accounts_memberships as m
    join public.workers as o on o.user_id = m.user_id
    where m.account_id = p_account_id and m.role >= 'admin' and o.mode = 'self-hosted' and o.removed_at is null
    union all
    select c.id, c.status
    from public.workers as c
    where c.mode = 'cloud-hosted' and c.removed_at is null and not private.has_own_tendril(p_account_id)
  ) as w
  where w.status = 'ONLINE';
end;
$$;
comment on function private.wake_tendrils is
  'Tells the Tendrils that serve an account that there is a job to claim, once a transaction. For the trigger that keeps '
  'the open jobs.';

create function private.tg_provision_jobs__cancel()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform realtime.send(jsonb_build_object('job_id', new.id), 'cancel', 'worker:' || new.worker_id, true);
  return null;
end;
$$;
comment on function private.tg_provision_jobs__cancel is 'Tells the Tendril that holds a job that it is to stop.';

create trigger cancel
after update of cancel_requested_at on public.provision_jobs
for each row
when (old.cancel_requested_at is null and new.cancel_requested_at is not null and old.status in ('CLAIMED', 'PROCESSING'))
execute function private.tg_provision_jobs__cancel();
