-- Job logs: what a job printed, in chunks. A chunk's seq, counted by the Tendril within the job, makes
-- a repeated report harmless and lets a reader see a hole.
--
-- The database adds lines of its own between the Tendril's chunks. Each moves the chunks that come after
-- it on by one, so that neither takes the other's place: a chunk is stored at its seq plus the lines before it.

create table public.provision_job_logs (
  id uuid primary key default gen_random_uuid(),
  account_id uuid not null references public.accounts (id) on delete cascade,
  job_id uuid not null references public.provision_jobs (id) on delete cascade,
  seq integer not null check (seq > 0),
  log_chunk text not null,
  stream_type text not null check (stream_type in ('STDOUT', 'STDERR', 'SYSTEM')),
  created_at timestamptz not null default clock_timestamp(),
  unique (job_id, seq)
);
comment on table public.provision_job_logs is 'A job''s output in chunks, read in the order of seq.';
comment on column public.provision_job_logs.account_id is 'Copied from the job, so that policies need no join.';
comment on column public.provision_job_logs.seq is '1, 2, 3 … within the job; a hole is a chunk that was refused or is still to come.';
comment on column public.provision_job_logs.stream_type is 'STDOUT and STDERR are Terraform''s; SYSTEM is Vintner''s own.';
create index provision_job_logs_account_id_idx on public.provision_job_logs (account_id);
-- a few kilobytes for millions of rows that arrive in this order: enough to find the old ones
create index provision_job_logs_created_at_idx on public.provision_job_logs using brin (created_at);

create table private.job_log_counts (
  job_id uuid primary key references public.provision_jobs (id) on delete cascade,
  attempt integer not null,
  last_seq integer not null default 0,
  lines_after integer[] not null default '{}',
  bytes integer not null default 0
) with (fillfactor = 80);
comment on table private.job_log_counts is 'What is known of a job''s log without looking at its chunks.';
comment on column private.job_log_counts.last_seq is 'The highest that is stored.';
comment on column private.job_log_counts.lines_after is
  'After which of this attempt''s chunks, as its Tendril counts, the database put a line of its own.';
comment on column private.job_log_counts.bytes is
  'Of the Tendrils'' chunks, each of which counts as 100 at least; over the limit, the log has ended.';
alter table private.job_log_counts enable row level security;

create function private.log_chunk_limit()
returns integer
language sql immutable set search_path = ''
as $$ select 40960 $$;
comment on function private.log_chunk_limit is
  'Bytes of a chunk. 10,000 characters of any script fit, and its JSON form, at worst six times as long, fits one broadcast.';

create function private.least_log_chunk()
returns integer
language sql immutable set search_path = ''
as $$ select 100 $$;
comment on function private.least_log_chunk is
  'Bytes that a smaller chunk counts as: there is no end of empty ones, and each is a row.';

create function private.log_gap_limit()
returns integer
language sql immutable set search_path = ''
as $$ select 5000 $$;
comment on function private.log_gap_limit is
  'How many chunks may be missing in a row. All the chunks that a log has room for, each so far from the one before, end '
  'below the highest seq that is taken: a later attempt always finds room after them.';

create function private.log_limit()
returns integer
language sql immutable set search_path = ''
as $$ select 16 * 1024 * 1024 $$;
comment on function private.log_limit is 'Bytes of a job''s log, counted by chunk.';

--------------------------------------------------------------------------------------------------
-- Counting
--------------------------------------------------------------------------------------------------

create function private.log_counts(p_job public.provision_jobs)
returns private.job_log_counts
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_counts private.job_log_counts;
begin
  select * into v_counts from private.job_log_counts where job_id = p_job.id for update;
  if not found then
    insert into private.job_log_counts (job_id, attempt) values (p_job.id, p_job.attempt)
    on conflict (job_id) do update set job_id = excluded.job_id
    returning * into v_counts;
  end if;
  if v_counts.attempt <> p_job.attempt then
    -- another Tendril, which counts on from what is stored
    v_counts.attempt := p_job.attempt;
    v_counts.lines_after := '{}';
  end if;
  return v_counts;
end;
$$;
comment on function private.log_counts is 'The counts of a job''s log in its present attempt, locked. For the functions below.';

create function private.with_line(p_counts private.job_log_counts)
returns private.job_log_counts
language plpgsql immutable set search_path = ''
as $$
begin
  p_counts.lines_after := p_counts.lines_after || (p_counts.last_seq - cardinality(p_counts.lines_after));
  p_counts.last_seq := p_counts.last_seq + 1;
  return p_counts;
end;
$$;
comment on function private.with_line is 'The counts after one more line of the database''s own, whose seq is last_seq.';

create function private.save_log_counts(p_counts private.job_log_counts)
returns void
language sql volatile security definer set search_path = ''
as $$
  update private.job_log_counts
  set attempt = p_counts.attempt, last_seq = p_counts.last_seq, lines_after = p_counts.lines_after, bytes = p_counts.bytes
  where job_id = p_counts.job_id;
$$;
comment on function private.save_log_counts is 'Keeps the counts. For the functions below.';

create function private.next_log_seq(p_job_id uuid)
returns integer
language sql stable security definer set search_path = ''
as $$
  select coalesce((
    select c.last_seq - case when c.attempt = j.attempt then cardinality(c.lines_after) else 0 end
    from private.job_log_counts as c
    join public.provision_jobs as j on j.id = c.job_id
    where c.job_id = p_job_id
  ), 0) + 1;
$$;
comment on function private.next_log_seq is
  'The seq that the next chunk has, as the Tendril that holds the job counts. For the log and context functions.';

--------------------------------------------------------------------------------------------------
-- Appending
--------------------------------------------------------------------------------------------------

create function private.append_system_log(p_job public.provision_jobs, p_text text)
returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_counts constant private.job_log_counts := private.with_line(private.log_counts(p_job));
begin
  insert into public.provision_job_logs (account_id, job_id, seq, log_chunk, stream_type)
  values (p_job.account_id, p_job.id, v_counts.last_seq, p_text || E'\n', 'SYSTEM');
  perform private.save_log_counts(v_counts);
end;
$$;
comment on function private.append_system_log is
  'Adds the database''s own line to a job''s log. For the job functions, which hold the job''s lock.';

create function private.cut_text(p_text text, p_bytes integer)
returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_bytes constant bytea := convert_to(p_text, 'UTF8');
  v_end integer := p_bytes;
begin
  -- the first byte that is left out begins a character
  while v_end between 1 and length(v_bytes) - 1 and get_byte(v_bytes, v_end) between 128 and 191 loop
    v_end := v_end - 1;
  end loop;
  return convert_from(substring(v_bytes from 1 for v_end), 'UTF8');
end;
$$;
comment on function private.cut_text is 'The beginning of a text, in whole characters. For append_job_logs.';

create function private.append_job_logs(p_job_id uuid, p_attempt integer, p_chunks jsonb)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
  v_counts private.job_log_counts;
  v_chunk record;
  v_seq integer;
  v_size integer;
  v_room integer;
  v_last_given integer := 0;
  v_seqs integer[] := '{}';
  v_texts text[] := '{}';
  v_streams text[] := '{}';
begin
  if jsonb_typeof(p_chunks) is distinct from 'array' or exists (
    select from jsonb_array_elements(case when jsonb_typeof(p_chunks) = 'array' then p_chunks end) as c
    where not coalesce(
      c ->> 'seq' ~ '^[1-9]\d{0,8}$'
      and jsonb_typeof(c -> 'log_chunk') = 'string'
      and c ->> 'stream_type' in ('STDOUT', 'STDERR', 'SYSTEM'), false)
  ) then
    perform private.raise_error('invalid_input',
      'Log chunks are a list of {seq, log_chunk, stream_type}: seq counts from 1, log_chunk is a text, and stream_type is '
      'STDOUT, STDERR or SYSTEM.');
  end if;
  v_counts := private.log_counts(v_job);
  for v_chunk in
    select distinct on (c.seq) c.seq, c.log_chunk, c.stream_type
    from jsonb_to_recordset(p_chunks) as c (seq integer, log_chunk text, stream_type text)
    order by c.seq
  loop
    v_last_given := v_chunk.seq;
    v_seq := v_chunk.seq + (select count(*) from unnest(v_counts.lines_after) as l (after) where l.after < v_chunk.seq);
    continue when v_counts.bytes > private.log_limit();
    if v_seq > v_counts.last_seq + 1 + private.log_gap_limit() then
      perform private.raise_error('invalid_input', format(
        'Chunk %s is too far from the last one, %s: %s may be missing in a row.',
        v_chunk.seq, v_counts.last_seq - cardinality(v_counts.lines_after), private.log_gap_limit()));
    end if;
    v_size := greatest(octet_length(v_chunk.log_chunk), private.least_log_chunk());
    v_room := least(private.log_chunk_limit(), private.log_limit() - v_counts.bytes);
    if v_seq <= v_counts.last_seq then
      continue when exists (select from public.provision_job_logs as l where l.job_id = v_job.id and l.seq = v_seq);
    end if;
    v_counts.last_seq := greatest(v_counts.last_seq, v_seq);
    v_seqs := v_seqs || v_seq;
    v_streams := v_streams || v_chunk.stream_type;
    if v_size <= v_room then
      v_texts := v_texts || v_chunk.log_chunk;
      v_counts.bytes := v_counts.bytes + v_size;
    else
      v_texts := v_texts || private.cut_text(v_chunk.log_chunk, v_room);
      v_counts := private.with_line(v_counts);
      v_seqs := v_seqs || v_counts.last_seq;
      v_streams := v_streams || 'SYSTEM'::text;
      if v_counts.bytes + v_room < private.log_limit() then
        v_counts.bytes := v_counts.bytes + v_room;
        v_texts := v_texts || format(E'A chunk of %s bytes is cut here, at the limit of %s.\n', v_size, v_room);
      else
        v_counts.bytes := private.log_limit() + 1;
        v_texts := v_texts || format(E'The log ends here, at its limit of %s bytes; the job goes on.\n', private.log_limit());
      end if;
    end if;
  end loop;
  insert into public.provision_job_logs (account_id, job_id, seq, log_chunk, stream_type)
  select v_job.account_id, v_job.id, n.seq, n.log_chunk, n.stream_type
  from unnest(v_seqs, v_texts, v_streams) as n (seq, log_chunk, stream_type)
  order by n.seq;
  perform private.save_log_counts(v_counts);
  return greatest(v_last_given, v_counts.last_seq - cardinality(v_counts.lines_after)) + 1;
end;
$$;
comment on function private.append_job_logs is 'See public.append_job_logs.';
grant execute on function private.append_job_logs to authenticated;

create function public.append_job_logs(p_job_id uuid, p_attempt integer, p_chunks jsonb)
returns integer
language sql volatile set search_path = ''
as $$ select private.append_job_logs(p_job_id, p_attempt, p_chunks) $$;
comment on function public.append_job_logs is
  'Appends chunks [{seq, log_chunk, stream_type}] to a running job''s log, passing over those it has; returns the '
  'next seq. 5,000 may be missing in a row. What is over the limits, 40,960 bytes a chunk and 16 MiB a job, a chunk counting as 100 bytes at least, is cut '
  'off, and a SYSTEM line says where. '
  'For the Tendril that holds the job.';
grant execute on function public.append_job_logs to authenticated;

--------------------------------------------------------------------------------------------------
-- Retention
--------------------------------------------------------------------------------------------------

create function private.delete_old_job_logs(p_keep interval, p_limit integer)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_deleted integer;
begin
  if p_keep is null or p_keep < interval '1 day' or p_limit is null or p_limit < 1 then
    perform private.raise_error('invalid_input', 'Logs are kept for a day at least, and one chunk at least is deleted.');
  end if;
  delete from public.provision_job_logs
  where id = any (array(
    select l.id from public.provision_job_logs as l
    where l.created_at < now() - p_keep
    limit p_limit
    for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  return v_deleted;
end;
$$;
comment on function private.delete_old_job_logs is 'See public.delete_old_job_logs.';
grant execute on function private.delete_old_job_logs to service_role;

create function public.delete_old_job_logs(p_keep interval, p_limit integer default 10000)
returns integer
language sql volatile set search_path = ''
as $$ select private.delete_old_job_logs(p_keep, p_limit) $$;
comment on function public.delete_old_job_logs is
  'Deletes log chunks that are older than p_keep, p_limit of them at most, and returns how many: call it until that is 0. '
  'For service_role.';
grant execute on function public.delete_old_job_logs to service_role;

-- a month of logs, where the project has pg_cron; elsewhere nothing is deleted unless it is called
do $$
begin
  if exists (select from pg_extension where extname = 'pg_cron') then
    perform cron.schedule(
      'vintner-delete-old-job-logs', '*/10 * * * *', $cron$ select private.delete_old_job_logs('30 days', 10000) $cron$);
  end if;
end;
$$;

--------------------------------------------------------------------------------------------------
-- Who may do what
--------------------------------------------------------------------------------------------------

alter table public.provision_job_logs enable row level security;
create policy provision_job_logs_select on public.provision_job_logs for select to authenticated
using (account_id = any (array(select * from private.account_ids('viewer'))));
grant select on public.provision_job_logs to authenticated, service_role;
