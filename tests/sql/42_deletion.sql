-- What may be deleted, and destroyed, and what goes with it.
begin;
select plan(24);

set constraints all immediate;

create temporary table t on commit drop as select tests.sign_up('owner') as owner;
alter table t add vine uuid, add vineyard uuid, add identity uuid, add account uuid;
update t set vine = tests.plant(owner, p_stage => 'production', p_more => '{"network": {}}');
update t set vineyard = v.vineyard_id, identity = v.cloud_identity_id, account = y.account_id
from public.vines as v join public.vineyards as y on y.id = v.vineyard_id where v.id = t.vine;
grant select on t to public;

create function pg_temp.force(p_status public.vine_status)
returns void
language plpgsql
as $$
begin
  set local session_replication_role = replica;
  update public.vines set status = p_status where id = (select vine from t);
  set local session_replication_role = origin;
end;
$$;
-- what a statement of the owner's, or of the database's, ends with while the vine is in a state; it leaves no trace
create function pg_temp.ends_with(p_status public.vine_status, p_sql text, p_as_owner boolean default true)
returns text
language plpgsql
as $$
declare
  v_code text;
begin
  perform pg_temp.force(p_status);
  if p_as_owner then
    perform tests.act_as((select owner from t));
  end if;
  execute p_sql;
  set constraints all immediate;
  raise exception using errcode = 'TT000';
exception
  when sqlstate 'TT000' then
    return 'done';
  when others then
    get stacked diagnostics v_code = pg_exception_detail;
    return case when sqlstate like 'PT%' then v_code else sqlstate end;
end;
$$;
create function pg_temp.by_status(p_sql text, p_as_owner boolean default true)
returns table (found text, statuses public.vine_status[])
language sql
as $$
  select f.found, array_agg(f.s order by f.s)
  from (select s, pg_temp.ends_with(s, p_sql, p_as_owner) as found from unnest(enum_range(null::public.vine_status)) as s) as f
  group by f.found
$$;

select bag_eq(format('select * from pg_temp.by_status(%L, %L)', w.sql, w.as_owner), $$ values
  ('done', '{DRAFT,DESTROYED}'::public.vine_status[]),
  ('vine_not_deletable', '{QUEUED,PROVISIONING,ACTIVE,FAILED,DESTROYING}')
$$, w.about)
from (values
  ('delete from public.vines where id = (select vine from t)', true, 'a vine goes while nothing of it can exist'),
  ('delete from public.vineyards where id = (select vineyard from t)', true, 'a vineyard goes if its vines may'),
  ('delete from public.vineyards where id = (select vineyard from t)', false, 'whoever deletes it'),
  ('update public.accounts set personal_user_id = null where id = (select account from t); '
   'delete from public.accounts where id = (select account from t)', false, 'a team too'),
  ('delete from auth.users where id = (select owner from t)', false, 'and a user with a personal account')
) as w (sql, as_owner, about);

--------------------------------------------------------------------------------------------------
-- What goes with a vine
--------------------------------------------------------------------------------------------------

select tests.act_as((select owner from t));
select lives_ok($$ select public.enqueue_job(vine, 'PLAN') from t $$, 'a DRAFT may be planned');
select lives_ok('delete from public.vines where id = (select vine from t)', 'and be deleted all the same');
select tests.act_as_owner();
select is((select count(*)::int from public.provision_jobs where vine_id = (select vine from t)), 0, 'its jobs go with it');
select is((select count(*)::int from public.vine_network where vine_id = (select vine from t)), 0, 'its components too');
select is((select count(*)::int from public.vine_audit_log where vine_ref = (select vine from t) and action = 'DELETED'), 1, 'the log tells of it');

--------------------------------------------------------------------------------------------------
-- Cloud identities
--------------------------------------------------------------------------------------------------

update t set vine = tests.plant(owner, p_stage => 'production');
update t set vineyard = v.vineyard_id, identity = v.cloud_identity_id from public.vines as v where v.id = t.vine;
select results_eq($$ select * from pg_temp.by_status('delete from public.cloud_identities where id = (select identity from t)') $$,
  $$ values ('cloud_identity_in_use', enum_range(null::public.vine_status)) $$, 'an identity that a vine names stays');
select results_eq($$ select * from pg_temp.by_status('delete from public.cloud_identities where id = (select identity from t)', false) $$,
  $$ values ('cloud_identity_in_use', enum_range(null::public.vine_status)) $$, 'whoever deletes it');
select is(pg_temp.ends_with('DRAFT', $$ update public.vines set cloud_identity_id = null where id = (select vine from t) $$), 'done', 'a DRAFT can let go of it');
select is(pg_temp.ends_with('ACTIVE', $$ update public.vines set cloud_identity_id = null where id = (select vine from t) $$), 'vine_fixed', 'an ACTIVE one cannot');
select is(pg_temp.ends_with('DESTROYED', $$
  delete from public.vines where id = (select vine from t); delete from public.cloud_identities where id = (select identity from t)
$$), 'done', 'with its last vine it may go too');
select tests.act_as((select owner from t));
insert into public.cloud_identities (provider, name) values ('local', 'spare');
select public.enqueue_identity_job(id, 'CONNECTION_TEST', 'spare') from public.cloud_identities where name = 'spare';
select tests.act_as_owner();
select is(pg_temp.ends_with('DRAFT', $$ delete from public.cloud_identities where name = 'spare' $$), 'cloud_identity_busy', 'one that is to be tested stays');
select tests.act_as((select owner from t));
select public.cancel_job(id) from public.provision_jobs where idempotency_key = 'spare';
select lives_ok($$ delete from public.cloud_identities where name = 'spare' $$, 'one that none names goes');
select tests.act_as_owner();

-- only the database itself moves a vine
update t set vine = tests.plant(owner);
select tests.act_as((select owner from t));
select public.enqueue_job((select vine from t), 'PLAN');
select tests.act_as_owner();
create temporary table left_behind on commit drop as select vineyard_id as id from public.vines where id = (select vine from t);
update public.vines set vineyard_id = (select vineyard from t) where id = (select vine from t);
delete from public.vineyards where id = (select id from left_behind);
select is((select concat_ws(' ', status, vineyard_id) from public.provision_jobs where vine_id = (select vine from t)), 'QUEUED', 'a job stays with its vine, whatever becomes of the vineyard that it was asked for in');

--------------------------------------------------------------------------------------------------
-- Destroying
--------------------------------------------------------------------------------------------------

update t set vine = tests.plant(owner, p_stage => 'production');
select bag_eq($$ select * from pg_temp.by_status('select public.enqueue_job(vine, ''DESTROY'', p_confirm_name => ''shop'') from t') $$, $$ values
  ('vine_not_destroyable', '{DRAFT}'::public.vine_status[]),
  ('vine_destroyed', '{DESTROYED}'),
  ('done', '{QUEUED,PROVISIONING,ACTIVE,FAILED,DESTROYING}')
$$, 'what may exist may be destroyed, unless a job of its own is unfinished');
select is(pg_temp.ends_with('ACTIVE', format('select public.enqueue_job(vine, ''DESTROY'', p_confirm_name => %L) from t', n)), 'destroy_protected', 'a production vine is not destroyed by ' || coalesce(n, 'silence'))
from unnest('{NULL,Shop,shop/production}'::text[]) as n;
update t set vine = tests.plant(owner, p_stage => 'staging');
select is(pg_temp.ends_with('ACTIVE', 'select public.enqueue_job(vine, ''DESTROY'') from t'), 'done', 'another is');
select is(pg_temp.ends_with('ACTIVE', 'select public.enqueue_job(vine, ''DESTROY'') from t; select public.enqueue_job(vine, ''DEPLOY'') from t'), 'vine_busy', 'one thing at a time');

select * from finish();
rollback;
