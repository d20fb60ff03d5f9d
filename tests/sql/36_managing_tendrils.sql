-- What owners do with their Tendrils: new tokens, removal, draining; versions against the newest release.
begin;
select plan(55);

create temporary table t on commit drop as
select o.id as owner, tests.sign_up('fellow') as fellow, tests.sign_up('stranger') as stranger, tests.plant(o.id) as vine
from (select tests.sign_up('owner') as id) as o;
alter table t add worker uuid, add cloud uuid, add job uuid, add hash text, add token text;
update t set worker = tests.tendril(owner), cloud = (private.make_tendril(stranger, 'pool', 'cloud-hosted') ->> 'worker_id')::uuid;
grant select, update on t to public;
select tests.join_account(fellow, owner, 'viewer'), tests.join_account(owner, fellow, 'admin') from t;

-- the Data API as a Tendril whose session is known
create function pg_temp.act_in_session(p_session text) returns void language plpgsql as $$
begin
  perform tests.act_as((select worker from t));
  perform set_config('request.jwt.claims', (current_setting('request.jwt.claims')::jsonb || jsonb_build_object('session_id', p_session))::text, true);
end $$;
create function pg_temp.sign_in() returns uuid language sql as $$
  with session as (
    insert into auth.sessions (id, user_id, created_at) select gen_random_uuid(), worker, now() from t returning id, user_id
  ), token as (
    insert into auth.refresh_tokens (token, user_id, session_id) select gen_random_uuid()::text, user_id::text, id from session
  )
  select id from session;
$$;
create function pg_temp.run(p_type text) returns uuid language plpgsql as $$
declare v_job public.provision_jobs;
begin
  perform tests.act_as((select owner from t));
  perform public.enqueue_job((select vine from t), p_type);
  perform tests.act_as((select worker from t));
  perform public.heartbeat('0.1.0');
  v_job := public.claim_next_job((select worker from t));
  perform public.start_job(v_job.id, v_job.attempt);
  perform tests.act_as_owner();
  return v_job.id;
end $$;

-- names
select tests.act_as((select owner from t));
select public.register_tendril('laptop');
select throws_ok($$ select public.register_tendril('laptop') $$, 'PT409', 'You have a Tendril laptop already.', 'two living Tendrils of one owner have two names');
select throws_ok($$ update public.workers set name = 'laptop' where id = (select worker from t) $$, '23505', null, 'by renaming too');
select tests.act_as((select stranger from t));
select lives_ok($$ select public.register_tendril('laptop') $$, 'another owner''s may have the same');

-- who may
create function pg_temp.tried(p_who uuid, p_worker uuid) returns text[] language plpgsql as $$
declare
  v_function text;
  v_got text[] := '{}';
begin
  foreach v_function in array '{rotate_tendril_token,drain_tendril,remove_tendril}'::text[] loop
    if p_who is null then perform tests.act_as_role('service_role'); else perform tests.act_as(p_who); end if;
    begin
      execute format('select public.%I(%L)', v_function, p_worker);
      raise exception using errcode = 'TT000';
    exception when others then
      v_got := v_got || case sqlstate when 'TT000' then 'done' else sqlstate end;
    end;
    perform tests.act_as_owner();
  end loop;
  return v_got;
end $$;
select is(pg_temp.tried(owner, worker), '{done,done,done}', 'an owner manages a self-hosted Tendril') from t;
select is(pg_temp.tried(fellow, worker), '{PT404,PT404,PT404}', 'a fellow, whose account it serves, does not') from t;
select is(pg_temp.tried(stranger, worker), '{PT404,PT404,PT404}', 'nor does a stranger') from t;
select is(pg_temp.tried(worker, worker), '{PT404,PT404,PT404}', 'nor the Tendril itself') from t;
select is(pg_temp.tried(null, worker), '{done,done,done}', 'service_role does') from t;
select is(pg_temp.tried(stranger, cloud), '{PT403,PT403,PT403}', 'a cloud-hosted one is not for who it is registered to') from t;
select is(pg_temp.tried(null, cloud), '{done,done,done}', 'but for service_role') from t;
select is(pg_temp.tried(owner, gen_random_uuid()), '{PT404,PT404,PT404}', 'what is not there is not managed') from t;

-- rotation
update t set job = pg_temp.run('PLAN');
update t set hash = encrypted_password from auth.users as u where u.id = worker;
create temporary table session on commit drop as select pg_temp.sign_in() as id;
grant select on session to public;
select pg_temp.act_in_session((select id::text from session));
select throws_ok($$ select public.heartbeat('0.1.0', null) $$, 'PT400', null, 'who is there says how');
select lives_ok($$ select public.heartbeat('0.1.0', p_running_job_ids => array[(select job from t)]) $$, 'a live session is heard');
select is(public.append_job_logs((select job from t), 1, '[]'), 1, 'and its reports');
select tests.act_as((select owner from t));
update t set token = public.rotate_tendril_token(worker) ->> 'token';
select tests.act_as_owner();
select matches((select token from t), '^vt_[0-9a-f-]{36}_[\w-]{32}$', 'the new token is shown');
select is(encrypted_password::text, extensions.crypt(token, encrypted_password), 'it is the password now') from t join auth.users as u on u.id = worker;
select isnt(encrypted_password::text, hash, 'and the old one no more') from t join auth.users as u on u.id = worker;
select is(token_hash, encode(extensions.digest(token, 'sha256'), 'hex'), 'the hash tells which') from t join public.workers as w on w.id = worker;
select is((select count(*)::int from auth.sessions where user_id = (select worker from t)), 0, 'its sessions are ended');
select is((select count(*)::int from auth.refresh_tokens where user_id = (select worker::text from t)), 0, 'and cannot be renewed');
select is(j.status || ' ' || w.status, 'QUEUED OFFLINE', 'what it ran is taken away at once')
from t join public.provision_jobs as j on j.id = job join public.workers as w on w.id = worker;
select pg_temp.act_in_session((select id::text from session));
select throws_ok($$ select public.heartbeat('0.1.0') $$, 'PT401', null, 'a token of an ended session: no heartbeat');
select throws_ok($$ select public.claim_next_job((select worker from t)) $$, 'PT401', null, 'no claim');
select throws_ok($$ select public.append_job_logs((select job from t), 1, '[]') $$, 'PT401', null, 'no log');
select throws_ok($$ select public.get_job_context((select job from t), 1) $$, 'PT401', null, 'no credentials');
select throws_ok($$ select public.complete_job((select job from t), 1, 'SUCCESS') $$, 'PT401', null, 'no end');
select pg_temp.act_in_session('nonsense');
select throws_ok($$ select public.heartbeat('0.1.0') $$, 'PT401', null, 'nor one of no session at all');
select tests.act_as_owner();
truncate session;
insert into session select pg_temp.sign_in();
select pg_temp.act_in_session((select id::text from session));
select lives_ok($$ select public.heartbeat('0.1.0') $$, 'a session from the new token is heard');
select is((public.claim_next_job((select worker from t))).id, (select job from t), 'and goes on');
select lives_ok($$ select public.complete_job((select job from t), 2, 'FAILED') $$, 'to the end');

-- draining
select tests.act_as((select owner from t));
select is((public.drain_tendril((select worker from t))).status::text, 'DRAINING', 'a Tendril is drained');
select pg_temp.act_in_session((select id::text from session));
select throws_ok($$ select public.claim_next_job((select worker from t)) $$, 'PT409', null, 'it claims nothing from now on');
select is(public.heartbeat('0.1.0') -> 'drain', 'true', 'its next heartbeat says so');
select throws_ok($$ select public.claim_next_job((select worker from t)) $$, 'PT409', null, 'and whatever it says of itself, it claims nothing');
select is(public.heartbeat('0.1.0', 'OFFLINE') -> 'drain', 'false', 'when it ends, it has drained');
select is(public.heartbeat('0.1.0') -> 'drain', 'false', 'and starts again as before');
select lives_ok($$ select public.claim_next_job((select worker from t)) $$, 'it claims');
select public.heartbeat('0.1.0', 'OFFLINE');
select tests.act_as((select owner from t));
select is((public.drain_tendril((select worker from t))).status::text, 'OFFLINE', 'an OFFLINE one has nothing to drain');

-- removal
select tests.act_as_owner();
update t set job = pg_temp.run('DEPLOY');
select tests.act_as((select owner from t));
select lives_ok($$ select public.remove_tendril((select worker from t)) $$, 'a Tendril is removed');
select tests.act_as_owner();
select is(j.status || ' ' || v.status || ' ' || w.status, 'FAILED FAILED OFFLINE', 'what it ran has failed at once')
from t join public.provision_jobs as j on j.id = job join public.vines as v on v.id = vine join public.workers as w on w.id = t.worker;
select ok(u.encrypted_password is null and u.banned_until > now() + interval '100 years', 'it signs in no more') from t join auth.users as u on u.id = worker;
select pg_temp.act_in_session((select id::text from session));
select throws_ok($$ select public.heartbeat('0.1.0') $$, 'PT401', null, 'its session is over');
select tests.act_as((select worker from t));
select throws_ok($$ select public.heartbeat('0.1.0') $$, 'PT403', null, 'and it is a Tendril no more');
select throws_ok($$ select public.claim_next_job((select worker from t)) $$, 'PT403', null, 'that could claim');
select tests.act_as((select owner from t));
select throws_ok($$ select public.rotate_tendril_token((select worker from t)) $$, 'PT404', null, 'it is not brought back');

-- what Auth may not change
select tests.act_as_owner();
select tests.tendril(owner) from t;
create function pg_temp.set_password(p_user uuid) returns void language plpgsql as $$
begin
  set local role supabase_auth_admin;
  update auth.users set encrypted_password = 'x' where id = p_user;
end $$;
create function pg_temp.set_email(p_user uuid) returns void language plpgsql as $$
begin
  set local role supabase_auth_admin;
  update auth.users set email_change = 'thief@example.com' where id = p_user;
end $$;
select throws_ok(format('select pg_temp.set_password(%L)', w.id), 'PT403', null, 'a Tendril''s password is its token')
from t join public.workers as w on w.user_id = owner and w.removed_at is null and w.name <> 'laptop';
select throws_ok(format('select pg_temp.set_email(%L)', w.id), 'PT403', null, 'and no mail reaches it')
from t join public.workers as w on w.user_id = owner and w.removed_at is null and w.name <> 'laptop';
select lives_ok(format('select pg_temp.set_password(%L)', owner), 'people choose their own') from t;
select tests.act_as_owner();

-- a Tendril is no person
select tests.act_as((select cloud from t));
select throws_ok($$ select public.create_account('team') $$, 'PT403', null, 'a Tendril has no team');

-- releases
select tests.act_as_owner();
delete from public.worker_releases where true;
create temporary table versions on commit drop as
select v.version, v.place
from unnest('{1.0.0-alpha,1.0.0-alpha.1,1.0.0-alpha.beta,1.0.0-beta,1.0.0-beta.2,1.0.0-beta.11,1.0.0-rc.1,1.0.0,1.2.0,1.10.0,10.0.0-0,10.0.0}'::text[])
  with ordinality as v (version, place);
select results_eq($$ select version from versions order by private.version_order(version) collate "C" $$,
  $$ select version from versions order by place $$, 'versions are in the order of semver.org');
insert into public.worker_releases (version) select version from versions where place between 8 and 11 order by random();
select throws_ok($$ insert into public.worker_releases (version) values ('1.2') $$, '23514', null, 'a release has a semantic version');
select tests.act_as((select owner from t));
select is((public.newest_worker_release()).version, '10.0.0-0', 'the newest is the highest, not the last by alphabet or date');
select results_eq($$
  select v.version, public.is_outdated(jsonb_populate_record(w, jsonb_build_object('version', v.version)))
  from public.workers as w cross join unnest('{1.2.0,10.0.0-0,10.0.0+build.5,11.0.0,unknown}'::text[]) as v (version)
  where w.name = 'laptop' and w.user_id = (select owner from t)
$$, $$ values ('1.2.0', true), ('10.0.0-0', false), ('10.0.0+build.5', false), ('11.0.0', false), ('unknown', null) $$, 'a Tendril is outdated, or not, or who knows');
select tests.act_as((select id from public.workers where name = 'laptop' and user_id = (select owner from t)));
select is(public.heartbeat('1.2.0') ->> 'newer_version', '10.0.0-0', 'its heartbeat is told of a newer one');
select is(public.heartbeat('10.0.0') -> 'newer_version', 'null', 'and of none');

select * from finish();
rollback;
