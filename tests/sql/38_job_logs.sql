-- Job logs: what is refused, what is cut, what becomes of numbers, and what is deleted.
begin;
select plan(32);

create temporary table t on commit drop as
select o.id as owner, tests.plant(o.id) as vine from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add job uuid;
update t set worker = tests.tendril(owner);
grant select on t to public;
select cmp_ok(
  (private.log_limit() / private.least_log_chunk() + 1)::bigint * (private.log_gap_limit() + 1), '<', 999999999::bigint,
  'as many of the widest holes as a log has room for leave numbers to the next attempt');
create function pg_temp.claim() returns integer language plpgsql as $$
declare v_job public.provision_jobs;
begin
  perform tests.act_as((select worker from t));
  perform public.heartbeat('0.1.0');
  v_job := public.claim_next_job((select worker from t));
  perform tests.act_as_owner();
  update t set job = v_job.id where true;
  perform tests.act_as((select worker from t));
  perform public.start_job(v_job.id, v_job.attempt);
  return v_job.attempt;
end $$;
create function pg_temp.append(p_chunks jsonb, p_attempt integer default 1) returns integer language sql as $$
  select public.append_job_logs((select job from t), p_attempt, p_chunks) $$;
create function pg_temp.chunk(p_seq integer, p_text text, p_stream text default 'STDOUT') returns jsonb language sql as $$
  select jsonb_build_object('seq', p_seq, 'log_chunk', p_text, 'stream_type', p_stream) $$;
create function pg_temp.log() returns table (seq integer, stream_type text, bytes integer) language sql security definer as $$
  select l.seq, l.stream_type, octet_length(l.log_chunk) from public.provision_job_logs as l where l.job_id = (select job from t) order by l.seq $$;
create function pg_temp.line(p_text text) returns void language sql security definer as $$
  select private.append_system_log(j, p_text) from public.provision_jobs as j where j.id = (select job from t) $$;
select tests.act_as((select owner from t));
select public.enqueue_job((select vine from t), 'PLAN');
select pg_temp.claim();

-- what is refused
select throws_ok(format('select pg_temp.append(%L)', c.chunks), 'PT400', null, c.what || ' is refused')
from (values
  ('null', 'nothing'), ('{"seq": 1}', 'an object'), ('"x"', 'a text'), ('[1]', 'a list of numbers'), ('[[]]', 'a list of lists'),
  ('[{"log_chunk": "a", "stream_type": "STDOUT"}]', 'no seq'), ('[{"seq": 0, "log_chunk": "a", "stream_type": "STDOUT"}]', 'a seq of 0'),
  ('[{"seq": 1.5, "log_chunk": "a", "stream_type": "STDOUT"}]', 'half a seq'),
  ('[{"seq": 9999999999, "log_chunk": "a", "stream_type": "STDOUT"}]', 'a seq without end'),
  ('[{"seq": 1, "stream_type": "STDOUT"}]', 'no text'), ('[{"seq": 1, "log_chunk": 5, "stream_type": "STDOUT"}]', 'a number for a text'),
  ('[{"seq": 1, "log_chunk": "a", "stream_type": "STDOUT"}, {"seq": 2, "log_chunk": "a", "stream_type": "stdout"}]', 'an unknown stream')
) as c (chunks, what);
select throws_ok($$ select pg_temp.append(('[{"seq": 1, "log_chunk": "a\u' || '0000", "stream_type": "STDOUT"}]')::jsonb) $$, '22P05', null, 'a null byte is no JSON of PostgreSQL''s');
select throws_ok($$ select pg_temp.append(jsonb_build_array(pg_temp.chunk(1, 'a'), pg_temp.chunk(5003, 'b'))) $$, 'PT400',
  'Chunk 5003 is too far from the last one, 1: 5000 may be missing in a row.', 'a hole without end is refused');
select is_empty('select * from pg_temp.log()', 'and nothing of it is kept');

-- the database's own lines and the Tendril's chunks share the numbers
select is(pg_temp.append('[]'), 1, 'nothing is appended');
select is(pg_temp.append(jsonb_build_array(pg_temp.chunk(2, 'bb'), pg_temp.chunk(1, 'a'), pg_temp.chunk(2, 'bb'))), 3, 'in whatever order, however often');
select pg_temp.line('hm');
select is(pg_temp.append(jsonb_build_array(pg_temp.chunk(2, 'bb'), pg_temp.chunk(3, 'ccc', 'STDERR'), pg_temp.chunk(5, 'eeeee'))), 6, 'the Tendril counts on');
select pg_temp.line('hmm');
select is(pg_temp.append(jsonb_build_array(pg_temp.chunk(4, 'dddd'), pg_temp.chunk(3, 'ccc'), pg_temp.chunk(6, 'ffffff'))), 7, 'fills a hole, and repeats itself');
select results_eq('select * from pg_temp.log()', $$
  values (1, 'STDOUT', 1), (2, 'STDOUT', 2), (3, 'SYSTEM', 3), (4, 'STDERR', 3), (5, 'STDOUT', 4), (6, 'STDOUT', 5), (7, 'SYSTEM', 4), (8, 'STDOUT', 6)
$$, 'neither takes the other''s place, and each has its own');

-- another Tendril goes on where the log ends
select is((public.get_job_context(job, 1) ->> 'next_log_seq')::integer, 7, 'as this Tendril counts') from t;
select tests.act_as((select worker from t));
select public.heartbeat('0.1.0', 'OFFLINE');
select is(pg_temp.claim(), 2, 'the job is claimed anew');
select is((public.get_job_context(job, 2) ->> 'next_log_seq')::integer, 10, 'the next one counts on from what is there') from t;
select is(pg_temp.append(jsonb_build_array(pg_temp.chunk(10, 'x')), 2), 11, 'and appends');
select is((select max(seq) || ' ' || count(*) from pg_temp.log()), '10 10', 'without a hole');

-- limits
select is(pg_temp.append(jsonb_build_array(pg_temp.chunk(11, repeat('€', 20000)), pg_temp.chunk(12, 'y')), 2), 13, 'a chunk may be too long');
select results_eq('select * from pg_temp.log() offset 10', $$ values (11, 'STDOUT', 40959), (12, 'SYSTEM', 59), (13, 'STDOUT', 1) $$,
  'it is cut between characters, a line says so, and the next one follows');
do $$
begin
  perform pg_temp.append((select jsonb_agg(pg_temp.chunk(12 + n, repeat('x', 40960))) from generate_series(1, 500) as n), 2);
end $$;
select is((select sum(bytes)::int from pg_temp.log() where stream_type <> 'SYSTEM' and seq > 13), 16 * 1024 * 1024 - 7 * 100 - 40960 - 100,
  'a log ends at its limit, each of the small ones counting as a hundred bytes');
select is((select l.log_chunk from public.provision_job_logs as l where l.job_id = (select job from t) order by seq desc limit 1), null, 'which its Tendril cannot read');
select is(pg_temp.append(jsonb_build_array(pg_temp.chunk(600, 'z')), 2), 601, 'more is acknowledged');
select pg_temp.line('the end');
select tests.act_as((select owner from t));
select results_eq($$ select l.stream_type, l.log_chunk from public.provision_job_logs as l where l.job_id = (select job from t) order by seq desc limit 2 $$,
  $$ values ('SYSTEM', E'the end\n'), ('SYSTEM', E'The log ends here, at its limit of 16777216 bytes; the job goes on.\n') $$,
  'and passed over; the database''s own lines get in');

select * from finish();
rollback;
