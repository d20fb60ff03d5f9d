-- Schemas, default privileges and errors: the ground that every other chapter stands on.
--
-- Nothing is granted by default, so each later chapter names what it opens and to whom.
-- Every rule that refuses raises through private.raise_error, from one table of codes.

create extension if not exists pgcrypto schema extensions;

create schema cloud;
comment on schema cloud is 'The priced catalog of what clouds offer. Exposed.';

create schema private;
comment on schema private is
  'Helpers, secrets and definer functions. Never exposed: the Data API cannot name them.';

grant usage on schema cloud to authenticated, service_role;
grant usage on schema private to authenticated, service_role;

alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;
alter default privileges revoke execute on functions from public;

--------------------------------------------------------------------------------------------------
-- Who is asking
--------------------------------------------------------------------------------------------------

-- The body is bound when it is made, so that no search_path matters. Setting one would keep the planner from
-- putting the body in the place of a call, which every read by a policy would pay for.
create function private.current_user_id()
returns uuid
language sql stable
return substring(auth.jwt() ->> 'sub' from '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$')::uuid;
comment on function private.current_user_id is
  'The caller''s auth user id, or null. Unlike auth.uid() it never raises, whatever a token holds: '
  'a policy that raises for one Realtime subscriber stops every other one. For policies and functions.';
grant execute on function private.current_user_id to authenticated, service_role;

--------------------------------------------------------------------------------------------------
-- Errors
--------------------------------------------------------------------------------------------------

create table private.error_codes (
  code text primary key check (code ~ '^[a-z_]+$'),
  http_status integer not null check (http_status between 400 and 499),
  message text not null,
  hint text not null
);
comment on table private.error_codes is
  'Every error that a rule raises. Clients map `code` (an answer''s `details`) to one exception class.';
comment on column private.error_codes.message is 'For people; %s is filled in by format().';
comment on column private.error_codes.hint is 'What to do next.';

alter table private.error_codes enable row level security;
insert into private.error_codes (code, http_status, message, hint) values
  ('not_signed_in', 401, 'This needs a signed-in user.', 'Sign in and try again.'),
  ('not_found', 404, 'There is no %s %s.', 'Check the id, and that your role in its account lets you see it.'),
  ('not_allowed', 403, 'Your role in this account may not %s.', 'Ask an owner or admin of the account.'),
  ('invalid_input', 400, '%s', 'Correct the value and try again.'),
  ('illegal_transition', 409, 'A %s cannot go from %s to %s.', 'Look at its present status first.'),
  ('account_needs_owner', 409, 'The account %s would be without an owner.', 'Make another member its owner first, or delete the account.'),
  ('personal_account', 409, 'A personal account %s.', 'Make a team with create_account.'),
  ('already_member', 409, '%s belongs to this account already.', 'Change the role with set_member_role.'),
  ('invitation_unknown', 404, 'There is no such invitation.', 'It may be revoked or replaced: ask for a new one.'),
  ('invitation_expired', 410, 'This invitation has expired.', 'Ask for a new one.'),
  ('invitation_used', 409, 'This invitation has been accepted already.', 'Ask for a new one if you do not belong to the account.'),
  ('invitation_not_yours', 403, 'This invitation is for another e-mail address.', 'Sign in with the address that it was sent to, confirmed.'),
  ('vine_busy', 409, 'The vine %s has an unfinished %s job.', 'Wait for that job to end, or cancel it.'),
  ('vine_destroyed', 409, 'The vine %s is DESTROYED.', 'Plant a new vine; a destroyed one stays as a record.'),
  ('vine_exists', 409, 'There is a vine %s in this vineyard already.', 'Change that one, or use another project name or stage.'),
  ('vine_not_destroyable', 409, 'The vine %s is %s: there is nothing to destroy.', 'Delete it if it is not wanted.'),
  ('vine_not_deletable', 409, 'The vine %s is %s: its resources may exist.', 'Destroy it first, then delete it.'),
  ('vine_fixed', 409, 'The %s of a vine can change only while it is DRAFT; this one is %s.', 'Plant a new vine instead.'),
  ('destroy_protected', 409, 'The vine %s is production.', 'Repeat its project name to confirm that it is to be destroyed.'),
  ('cloud_identity_missing', 409, 'The vine %s has no cloud identity.', 'Give it one: a job needs an account to run in.'),
  ('cloud_identity_in_use', 409, 'The cloud identity %s is in use by %s.', 'Delete that vine first, or, while it is DRAFT, give it another.'),
  ('cloud_identity_busy', 409, 'The cloud identity %s has an unfinished %s job.', 'Wait for that job to end, or cancel it.'),
  ('idempotency_key_reused', 409, 'This idempotency key made another job (%s).', 'Use a new key for a new request.'),
  ('job_ended', 409, 'The job %s has ended as %s.', 'Nothing more can be done to it; make a new job.'),
  ('job_not_retryable', 409, 'The job %s is %s.', 'Only one that FAILED or was CANCELLED runs again; ask for a new one.'),
  ('job_not_forceable', 409, 'The job %s has not been asked to stop for %s seconds yet.', 'Cancel it, and end it by force if it still runs a minute later.'),
  ('approval_not_wanted', 409, 'The job %s waits for no approval.', 'Look at its status and approved_at.'),
  ('approval_needs_another', 403, 'Who asked for a job or planned it does not approve it.', 'Ask another admin of the account.'),
  ('approval_withdrawn', 409, 'The approval of the job %s was withdrawn: who gave it is no admin any more.', 'Do not start it; end it as FAILED.'),
  ('approver_missing', 409, 'Nobody in this account could approve this job of the vine %s.', 'Invite another admin, or set requires_approval of the vineyard to false.'),
  ('plan_required', 409, 'A DEPLOY of the vine %s is to be approved, so it applies a saved plan.', 'Run a PLAN, look at it, and deploy with its id as p_plan_job_id.'),
  ('plan_unusable', 409, 'The saved plan of the job %s cannot be applied: %s.', 'Plan again and deploy that plan.'),
  ('lease_lost', 409, 'This Tendril no longer holds the job %s.', 'Stop working on it and discard its result.'),
  ('worker_exists', 409, 'You have a Tendril %s already.', 'Use another name, or remove that one first.'),
  ('worker_unavailable', 409, 'The Tendril %s is %s.', 'Send a heartbeat as ONLINE before claiming jobs.'),
  ('audit_append_only', 403, 'The audit log is append-only.', 'Nothing in it can be changed or removed.'),
  ('undecryptable', 409, 'What is stored as %s cannot be decrypted.', 'Write it anew.'),
  ('encryption_key_missing', 409, 'Vault does not hold the encryption key %s.', 'Restore Vault from the backup that this database is of.'),
  ('encryption_key_in_use', 409, '%s values are still encrypted under older keys.', 'Call reencrypt_batch until it returns 0, then try again.'),
  ('too_large', 413, '%s has %s bytes; at most %s are taken.', 'Send less; where it is a state or a plan, divide the vine into smaller ones.'),
  ('state_conflict', 409, 'The Terraform state has moved on: %s.', 'Plan again from the newest state.');

create function private.raise_error(p_code text, variadic p_args text[] default '{}')
returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_error private.error_codes;
begin
  select * into strict v_error from private.error_codes where code = p_code;
  raise exception using
    errcode = 'PT' || v_error.http_status,
    message = format(v_error.message, variadic p_args),
    detail = v_error.code,
    hint = v_error.hint;
end;
$$;
comment on function private.raise_error is
  'Raises an error of private.error_codes as PTxyz, which the Data API answers as HTTP xyz. For every rule.';
grant execute on function private.raise_error to authenticated, service_role;

create function private.require_size(p_what text, p_text text, p_limit integer)
returns integer
language plpgsql stable set search_path = ''
as $$
begin
  if octet_length(p_text) > p_limit then
    perform private.raise_error('too_large', p_what, octet_length(p_text)::text, p_limit::text);
  end if;
  return octet_length(p_text);
end;
$$;
comment on function private.require_size is
  'The size of a text in bytes; refuses one above the limit. For whatever clients and Tendrils may send at any length.';

--------------------------------------------------------------------------------------------------
-- Shared trigger functions
--------------------------------------------------------------------------------------------------

create function private.tg_set_updated_at()
returns trigger
language plpgsql set search_path = ''
as $$
begin
  -- the row is locked by now; now() would be the start of a transaction, and that of a later change may be earlier
  new.updated_at := greatest(clock_timestamp(), old.updated_at + interval '1 microsecond');
  return new;
end;
$$;
comment on function private.tg_set_updated_at is
  'Keeps updated_at, in the database''s time: each change of a row has a later one, so that a reader can tell which of two '
  'states is the newer.';

create function private.tg_limit_size()
returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- most rows are smaller as a whole than one text may be
  if octet_length(new::text) > 2000 then
    perform private.require_size('The ' || f.key, f.value #>> '{}', case
      when jsonb_typeof(f.value) in ('object', 'array') or exists (
        select from private.encrypted_columns as e where e.table_name = tg_relid and e.column_name = f.key
      ) then 64 * 1024
      else 2000
    end)
    from jsonb_each(to_jsonb(new)) as f;
  end if;
  return new;
end;
$$;
comment on function private.tg_limit_size is
  'Refuses a row in which a text has more than 2,000 bytes, or a list, an object or a ciphertext more than 64 KiB. For every '
  'table that clients write.';
