-- Job logs: what a job printed, in chunks. A chunk's seq, counted by the Tendril within the job, makes
-- a repeated report harmless and lets a reader see a hole.

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

create function private.append_system_log(p_job public.provision_jobs, p_text text)
returns void
language sql volatile security definer set search_path = ''
as $$
  insert into public.provision_job_logs (account_id, job_id, seq, log_chunk, stream_type)
  select p_job.account_id, p_job.id, coalesce(max(l.seq), 0) + 1, p_text || E'\n', 'SYSTEM'
  from public.provision_job_logs as l
  where l.job_id = p_job.id;
$$;
comment on function private.append_system_log is 'Adds the database''s own line to a job''s log. For the job functions.';

create function private.append_job_logs(p_job_id uuid, p_attempt integer, p_chunks jsonb)
returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_job constant public.provision_jobs := private.held_job(p_job_id, p_attempt);
begin
  insert into public.provision_job_logs (account_id, job_id, seq, log_chunk, stream_type)
  select v_job.account_id, v_job.id, c.seq, c.log_chunk, c.stream_type
  from jsonb_to_recordset(p_chunks) as c (seq integer, log_chunk text, stream_type text)
  order by c.seq
  on conflict (job_id, seq) do nothing;
  return private.next_log_seq(v_job.id);
end;
$$;
comment on function private.append_job_logs is 'See public.append_job_logs.';
grant execute on function private.append_job_logs to authenticated;

create function private.next_log_seq(p_job_id uuid)
returns integer
language sql stable security definer set search_path = ''
as $$ select coalesce(max(l.seq), 0) + 1 from public.provision_job_logs as l where l.job_id = p_job_id $$;
comment on function private.next_log_seq is 'The seq that a job''s next chunk has. For the log and context functions.';

create function public.append_job_logs(p_job_id uuid, p_attempt integer, p_chunks jsonb)
returns integer
language sql volatile set search_path = ''
as $$ select private.append_job_logs(p_job_id, p_attempt, p_chunks) $$;
comment on function public.append_job_logs is
  'Appends chunks [{seq, log_chunk, stream_type}] to a running job''s log, passing over those it has; returns the '
  'next seq. For the Tendril that holds the job.';
grant execute on function public.append_job_logs to authenticated;

alter table public.provision_job_logs enable row level security;
create policy provision_job_logs_select on public.provision_job_logs for select to authenticated
using (account_id = any (array(select private.account_ids('viewer'))));
grant select on public.provision_job_logs to authenticated, service_role;
