-- Teams: making one, joining, changing roles, leaving, and what goes with a member and with a team.
begin;
select plan(64);

create temporary table t on commit drop as
select tests.sign_up('owner') as owner, tests.sign_up('second') as second, tests.sign_up('admin') as admin,
       tests.sign_up('operator') as operator, tests.sign_up('viewer') as viewer, tests.sign_up('guest') as guest;
alter table t add team uuid, add personal uuid;
update t set personal = (select a.id from public.accounts as a where a.personal_user_id = owner);
update auth.users set email_confirmed_at = now(), email = 'Guest@Example.com' where id = (select guest from t);
grant select on t to public;

-- what a statement by someone ends with: a rule's code, another SQLSTATE, or 'ok'
create function pg_temp.outcome(p_who uuid, p_sql text)
returns text
language plpgsql
as $$
declare
  v_code text;
begin
  perform tests.act_as(p_who);
  execute p_sql;
  perform tests.act_as_owner();
  return 'ok';
exception when others then
  get stacked diagnostics v_code = pg_exception_detail;
  return case when sqlstate like 'PT%' then v_code else sqlstate end;
end;
$$;
create function pg_temp.try(p_who uuid, p_sql text)
returns text
language plpgsql
as $$
declare
  v_outcome text;
begin
  begin
    v_outcome := pg_temp.outcome(p_who, p_sql);
    raise exception using errcode = 'TT000';
  exception when sqlstate 'TT000' then
    return v_outcome;
  end;
end;
$$;
comment on function pg_temp.try is 'The same, leaving no trace.';
create function pg_temp.role_of(p_who uuid)
returns text
language sql
as $$ select role::text from public.accounts_memberships where account_id = (select team from t) and user_id = p_who $$;

select is((select u.email from public.users as u where u.auth_user_id = guest), 'Guest@Example.com', 'a profile follows a change of address') from t;

--------------------------------------------------------------------------------------------------
-- Making a team
--------------------------------------------------------------------------------------------------

select is(pg_temp.try(null, $$ select public.create_account('x') $$), 'not_signed_in', 'a team is made by somebody');
select is(pg_temp.try(owner, $$ select public.create_account('') $$), 'invalid_input', 'and has a name') from t;
create temporary table a_tendril on commit drop as select tests.tendril(guest) as id from t;
select is(pg_temp.try(id, $$ select public.create_account('x') $$), 'not_allowed', 'a Tendril makes none') from a_tendril;
select tests.act_as((select owner from t));
select lives_ok($$ select public.create_account('team') $$, 'everyone else does');
select tests.act_as_owner();
update t set team = (select m.account_id from public.accounts_memberships as m where m.user_id = owner and m.account_id <> personal);
select is(pg_temp.role_of(owner), 'owner', 'who makes it owns it') from t;
insert into public.accounts_memberships (account_id, user_id, role)
select team, second, 'owner'::public.account_role from t union all select team, admin, 'admin' from t
union all select team, operator, 'operator' from t union all select team, viewer, 'viewer' from t;
select throws_ok($$ insert into public.accounts_memberships select team, id, 'viewer' from t, a_tendril $$, '23503', null, 'only people are members');

--------------------------------------------------------------------------------------------------
-- Invitations
--------------------------------------------------------------------------------------------------

create function pg_temp.invite(p_who uuid, p_email text, p_role text)
returns text
language sql
as $$ select pg_temp.try(p_who, format('select public.invite_member(%L, %L, %L)', (select team from t), p_email, p_role)) $$;
select results_eq($$
  select who, pg_temp.invite(id, 'a@b', 'viewer'), pg_temp.invite(id, 'a@b', 'admin'), pg_temp.invite(id, 'a@b', 'owner')
  from t, lateral (values (1, 'guest', guest), (2, 'viewer', viewer), (3, 'operator', operator), (4, 'admin', admin), (5, 'owner', owner)) as w (n, who, id)
  order by n
$$, $$
  values ('guest', 'not_found', 'not_found', 'not_found'), ('viewer', 'not_allowed', 'not_allowed', 'not_allowed'),
         ('operator', 'not_allowed', 'not_allowed', 'not_allowed'), ('admin', 'ok', 'ok', 'not_allowed'), ('owner', 'ok', 'ok', 'ok')
$$, 'admins invite, for roles up to their own');
select is(pg_temp.invite(owner, 'no address', 'viewer'), 'invalid_input', 'an invitation has an address') from t;
select is(pg_temp.invite(owner, 'a@b', null), 'invalid_input', 'and a role') from t;
select is(pg_temp.invite(owner, (select upper(u.email) from auth.users as u where u.id = viewer), 'viewer'), 'already_member', 'a member needs none') from t;

create temporary table token on commit drop as select ''::text as first, ''::text as newer, ''::text as last;
grant select, update on token to public;
create function pg_temp.token(p_who uuid, p_role text)
returns text
language plpgsql
as $$
declare
  v_token text;
begin
  perform tests.act_as(p_who);
  v_token := public.invite_member((select team from t), ' guest@EXAMPLE.com', p_role::public.account_role) ->> 'token';
  perform tests.act_as_owner();
  return v_token;
end;
$$;
create function pg_temp.accept(p_who uuid, p_token text)
returns text
language sql
as $$ select pg_temp.try(p_who, format('select public.accept_invitation(%L)', p_token)) $$;
update token set first = pg_temp.token((select admin from t), 'viewer');
select matches(first, '^vi_[\w-]{32}$', 'the token is told to who invites') from token;
select is_empty($$ select from public.accounts_invitations as i, token where i::text like '%' || substr(token.first, 4) || '%' $$, 'and not stored');
select is(pg_temp.accept(guest, first), 'ok', 'it lets its person in') from t, token;
select is(pg_temp.accept(viewer, first), 'invitation_not_yours', 'and nobody else') from t, token;
select is(pg_temp.accept(guest, 'vi_x'), 'invitation_unknown', 'a wrong one is unknown') from t;
select is(pg_temp.accept(guest, null), 'invitation_unknown', 'and so is none') from t;
select is(pg_temp.accept(id, first), 'not_allowed', 'a Tendril joins nothing') from a_tendril, token;
update auth.users set email_confirmed_at = null where id = (select guest from t);
select is(pg_temp.accept(guest, first), 'invitation_not_yours', 'an address counts once it is confirmed') from t, token;
update auth.users set email_confirmed_at = now() where id = (select guest from t);
update public.accounts_invitations set expires_at = now() where email = 'guest@example.com';
select is(pg_temp.accept(guest, first), 'invitation_expired', 'an old one is over') from t, token;
update token set newer = pg_temp.token((select admin from t), 'operator');
select is(pg_temp.accept(guest, first), 'invitation_unknown', 'a new one replaces it') from t, token;
select is(pg_temp.outcome(guest, format('select public.accept_invitation(%L)', newer)), 'ok', 'the new one is good') from t, token;
select is(pg_temp.role_of(guest), 'operator', 'and gives its role') from t;
select is(pg_temp.accept(guest, newer), 'invitation_used', 'once') from t, token;
select is(pg_temp.outcome(guest, format('select public.remove_member(%L, %L)', team, guest)), 'ok', 'a member leaves') from t;
select is(pg_temp.accept(guest, newer), 'invitation_used', 'and does not come back by the same door') from t, token;

create function pg_temp.revoke(p_who uuid)
returns text
language sql
as $$ select pg_temp.try(p_who, format('select public.revoke_invitation(%L)', (select id from public.accounts_invitations where email = 'guest@example.com'))) $$;
update token set last = pg_temp.token((select owner from t), 'owner');
select is(pg_temp.invite(admin, 'guest@example.com', 'viewer'), 'not_allowed', 'an admin does not replace an owner''s invitation') from t;
select results_eq($$ select pg_temp.revoke(guest), pg_temp.revoke(operator), pg_temp.revoke(admin), pg_temp.revoke(second) from t $$,
  $$ values ('not_found', 'not_allowed', 'not_allowed', 'ok') $$, 'nor revokes it; another owner does');
select is(pg_temp.accept(guest, last), 'ok', 'it is good so far') from t, token;
select is(pg_temp.outcome(second, format('select public.set_member_role(%L, %L, ''admin'')', team, owner)), 'ok', 'an owner steps down') from t;
select is(pg_temp.accept(guest, last), 'invitation_unknown', 'and what they could not give any more is withdrawn') from t, token;
select pg_temp.outcome(second, format('select public.set_member_role(%L, %L, ''owner'')', team, owner)) from t;
update token set last = pg_temp.token((select admin from t), 'viewer');
select is(pg_temp.try(owner, format('select public.remove_member(%L, %L)', team, admin)), 'ok', 'an owner removes an admin') from t;
delete from public.accounts_memberships where user_id = (select admin from t) and account_id = (select team from t);
select is(pg_temp.accept(guest, last), 'invitation_unknown', 'whose invitations go along') from t, token;
insert into public.accounts_memberships (account_id, user_id, role) select team, admin, 'admin' from t;

--------------------------------------------------------------------------------------------------
-- Roles: every caller, every member, every new role
--------------------------------------------------------------------------------------------------

create temporary table people on commit drop as
select p.*
from t, lateral (values ('owner', owner), ('admin', admin), ('operator', operator), ('viewer', viewer)) as p (role, id);
select is_empty($$
  select c.role, m.role, r, got
  from people as c cross join people as m cross join unnest(enum_range(null::public.account_role)) as r
  cross join lateral (select pg_temp.try(c.id, format('select public.set_member_role(%L, %L, %L)', (select team from t), m.id, r))) as o (got)
  where got <> case
    when c.role::public.account_role >= 'admin' and greatest(m.role::public.account_role, r) <= c.role::public.account_role then 'ok'
    else 'not_allowed' end
$$, 'admins change roles, none above their own and to none above their own');
select results_eq($$
  select c.role, pg_temp.try(c.id, format('select public.remove_member(%L, %L)', team, owner)), pg_temp.try(c.id, format('select public.remove_member(%L, %L)', team, admin)),
         pg_temp.try(c.id, format('select public.remove_member(%L, %L)', team, operator)), pg_temp.try(c.id, format('select public.remove_member(%L, %L)', team, viewer))
  from people as c, t order by c.role::public.account_role
$$, $$
  values ('viewer', 'not_allowed', 'not_allowed', 'not_allowed', 'ok'), ('operator', 'not_allowed', 'not_allowed', 'ok', 'not_allowed'),
         ('admin', 'not_allowed', 'ok', 'ok', 'ok'), ('owner', 'ok', 'ok', 'ok', 'ok')
$$, 'admins remove whom they could have invited; everyone leaves');
select is(pg_temp.try(guest, format('select public.remove_member(%L, %L)', team, viewer)), 'not_found', 'a stranger knows of no team') from t;
select is(pg_temp.try(owner, format('select public.set_member_role(%L, %L, ''viewer'')', team, guest)), 'not_found', 'a role is a member''s') from t;
select is(pg_temp.try(owner, format('select public.set_member_role(%L, %L, null)', team, viewer)), 'invalid_input', 'and every member has one') from t;

--------------------------------------------------------------------------------------------------
-- Never without an owner
--------------------------------------------------------------------------------------------------

select is(pg_temp.try(admin, format('select public.transfer_ownership(%L, %L)', team, admin)), 'not_allowed', 'owners alone hand a team over') from t;
select is(pg_temp.try(owner, format('select public.transfer_ownership(%L, %L)', team, owner)), 'invalid_input', 'to another') from t;
select is(pg_temp.try(owner, format('select public.transfer_ownership(%L, %L)', team, guest)), 'not_found', 'who is a member') from t;
select is(pg_temp.outcome(second, format('select public.transfer_ownership(%L, %L)', team, owner)), 'ok', 'a second owner makes way') from t;
select results_eq($$ select pg_temp.role_of(owner), pg_temp.role_of(second) from t $$, $$ values ('owner', 'admin') $$, 'and stays as an admin');
select is(pg_temp.try(owner, format('select public.remove_member(%L, %L)', team, owner)), 'account_needs_owner', 'the last owner does not leave') from t;
select is(pg_temp.try(owner, format('select public.set_member_role(%L, %L, ''admin'')', team, owner)), 'account_needs_owner', 'nor steps down') from t;
select throws_ok($$ delete from public.accounts_memberships where account_id = (select team from t) $$, 'PT409', null, 'whoever writes');
select throws_ok($$ insert into public.accounts (name) values ('x'); set constraints all immediate $$, 'PT409', null, 'no account begins without one');
set constraints all deferred;

select is(pg_temp.try(owner, format('select public.invite_member(%L, ''a@b'', ''owner'')', personal)), 'personal_account', 'a personal account takes no other owner') from t;
select is(pg_temp.try(owner, format('select public.invite_member(%L, ''a@b'', ''admin'')', personal)), 'ok', 'but an admin') from t;
select throws_ok($$ insert into public.accounts_memberships select personal, viewer, 'owner' from t $$, 'PT409', null, 'whoever writes');
select is(pg_temp.try(owner, format('select public.delete_account(%L)', personal)), 'personal_account', 'and stays with its user') from t;

--------------------------------------------------------------------------------------------------
-- Who is removed loses everything at once
--------------------------------------------------------------------------------------------------

create temporary table work on commit drop as select tests.plant(owner) as vine, tests.tendril(admin) as worker, null::uuid as job from t;
grant select on work to public;
insert into public.accounts_memberships (account_id, user_id, role) select personal, admin, 'admin' from t;
select tests.act_as((select owner from t));
select public.enqueue_job((select vine from work), 'PLAN');
select tests.act_as((select worker from work));
create temporary table claimed on commit drop as select * from public.claim_next_job((select worker from work));
select tests.act_as_owner();
update work set job = (select id from claimed);
create function pg_temp.sees_job(p_who uuid)
returns boolean
language plpgsql
as $$
declare
  v_sees boolean;
begin
  perform tests.act_as(p_who);
  v_sees := exists (select from public.provision_jobs where id = (select job from work));
  perform tests.act_as_owner();
  return v_sees;
end;
$$;
select results_eq($$ select pg_temp.sees_job(admin), pg_temp.sees_job(worker), pg_temp.try(worker, format('select public.get_job_context(%L, 1)', job)) from t, work $$,
  $$ values (true, true, 'ok') $$, 'an admin and their Tendril see the job that it holds');
select is(pg_temp.outcome(owner, format('select public.set_member_role(%L, %L, ''operator'')', personal, admin)), 'ok', 'the admin is made an operator') from t;
select results_eq($$ select pg_temp.sees_job(admin), pg_temp.sees_job(worker), pg_temp.try(worker, format('select public.get_job_context(%L, 1)', job)) from t, work $$,
  $$ values (true, false, 'lease_lost') $$, 'who still sees the job, while the Tendril has lost it');
select is(status::text, 'QUEUED', 'and it is queued again') from public.provision_jobs where id = (select job from work);
-- as if the claim had been under way while the owner was removed
update public.provision_jobs set status = 'CLAIMED', worker_id = (select worker from work), claimed_at = now(), attempt = 2 where id = (select job from work);
select is(pg_temp.try(worker, format('select public.get_job_context(%L, 2)', job)), 'lease_lost', 'a claim that came between is worth nothing') from work;
update public.provision_jobs set status = 'QUEUED', worker_id = null, claimed_at = null where id = (select job from work);
select is(pg_temp.outcome(owner, format('select public.remove_member(%L, %L)', personal, admin)), 'ok', 'then they are removed') from t;
select results_eq($$ select pg_temp.sees_job(admin), pg_temp.sees_job(owner) from t $$, $$ values (false, true) $$, 'and see nothing');

--------------------------------------------------------------------------------------------------
-- Teams and users go
--------------------------------------------------------------------------------------------------

with made as (insert into public.vineyards (account_id, name) select team, 'one' from t returning id)
insert into public.vines (vineyard_id, project_name, region) select id, 'shop', 'x' from made;
update public.vines set status = 'QUEUED' where account_id = (select team from t);
select results_eq($$ select pg_temp.try(admin, format('select public.delete_account(%L)', team)), pg_temp.try(owner, format('select public.delete_account(%L)', team)) from t $$,
  $$ values ('not_allowed', 'vine_not_deletable') $$, 'a team whose vine may have resources is not deleted');
update public.vines set status = 'DRAFT' where account_id = (select team from t);
select throws_ok($$ update public.vineyards set account_id = (select personal from t) where account_id = (select team from t) $$, 'PT403', null,
  'a vineyard stays in its account');
select is(pg_temp.try(owner, format('select public.delete_account(%L)', team)), 'ok', 'one whose vines have none is, by its owner') from t;

-- second has been an admin as long as admin has; ties go by id
update public.accounts_memberships set created_at = created_at - interval '1 day' where user_id = (select second from t);
delete from auth.users where id = (select owner from t);
select is(pg_temp.role_of(second), 'owner', 'a team outlives its owner: its longest-standing admin owns it') from t;
delete from public.accounts_memberships where user_id = (select admin from t) and account_id = (select team from t);
select throws_ok($$ delete from auth.users where id = (select second from t) $$, 'PT409', null, 'with no admin to own it, its owner cannot be deleted');
delete from public.accounts_memberships where role < 'owner' and account_id = (select team from t);
delete from auth.users where id = (select second from t);
set constraints all immediate;
select is_empty($$ select from public.accounts where id = (select team from t) $$, 'a team of one goes with that one');

select * from finish();
rollback;
