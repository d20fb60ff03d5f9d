"""Ways to a session: sign-up, password, refresh token."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from vintner_local.auth import passwords, sessions, users
from vintner_local.auth.database import transaction
from vintner_local.auth.errors import AuthError, OAuthError, failing_as, not_here
from vintner_local.auth.params import Credentials, RefreshParams, email_address, read
from vintner_local.auth.sessions import Device
from vintner_local.auth.tokens import grant_answer
from vintner_local.auth.users import Db, Metadata, User
from vintner_local.settings import SETTINGS

WRONG = "Invalid login credentials"
ELSEWHERE = {"pkce": "OAuth providers", "id_token": "OAuth providers", "web3": "wallets"}


async def sign_up(request: web.Request) -> web.Response:
    """POST /signup: a new user, confirmed at once and signed in."""
    params = await read(request, Credentials)
    if not params.email and not params.phone:
        message = "Anonymous sign-ins are disabled"
        raise AuthError(422, "anonymous_provider_disabled", message)
    if not params.password:
        raise AuthError(400, "validation_failed", "Signup requires a valid password")
    passwords.check_rules(params.password)
    if params.email and params.phone:
        message = "Only an email address or phone number should be provided on signup."
        raise AuthError(400, "validation_failed", message)
    if not params.email:
        raise AuthError(400, "phone_provider_disabled", "Phone signups are disabled")
    email = email_address(params.email)
    password_hash = await passwords.hash_password(params.password)
    async with transaction(request) as db:
        with failing_as("Database error finding user"):
            holder = await users.find_holder(db, email)
        if holder is not None and holder.email_confirmed_at is None:
            raise not_here("a second sign-up with an address that is not confirmed")
        if holder is not None:
            raise AuthError(422, "user_already_exists", "User already registered")
        user = await _register(db, email, password_hash, params.data or {})
        with failing_as("Database error granting user"):
            grant = await sessions.issue(db, user, _device(request))
            identities = await users.identities_of(db, user.id)
    return web.json_response(grant_answer(request.app[SETTINGS], grant, identities))


async def token(request: web.Request) -> web.Response:
    """POST /token: by password or refresh token."""
    grant_type = request.query.get("grant_type", "")
    if grant_type == "password":
        return await _by_password(request)
    if grant_type == "refresh_token":
        return await _by_refresh_token(request)
    if grant_type in ELSEWHERE:
        raise not_here(f"sign-in through {ELSEWHERE[grant_type]}")
    raise AuthError(400, "invalid_credentials", "unsupported_grant_type")


async def _by_password(request: web.Request) -> web.Response:
    params = await read(request, Credentials)
    if params.email and params.phone:
        message = "Only an email address or phone number should be provided on login."
        raise AuthError(400, "validation_failed", message)
    if params.phone:
        raise AuthError(422, "phone_provider_disabled", "Phone logins are disabled")
    if not params.email:
        raise AuthError(400, "validation_failed", "missing email or phone")
    password = params.password or ""
    async with transaction(request) as db:
        with failing_as("Database error querying schema"):
            user = await users.find_by_email(db, params.email)
        if user is not None and user.encrypted_password and user.is_banned:
            raise AuthError(400, "user_banned", "User is banned")
        known = user.encrypted_password if user else None
        if not await passwords.matches(password, known) or user is None:
            raise AuthError(400, "invalid_credentials", WRONG)
        if user.email_confirmed_at is None:
            raise AuthError(400, "email_not_confirmed", "Email not confirmed")
        with failing_as("Database error granting user"):
            grant = await sessions.issue(db, user, _device(request))
            identities = await users.identities_of(db, user.id)
    answer = grant_answer(request.app[SETTINGS], grant, identities)
    return web.json_response(answer | passwords.weakness(password))


async def _by_refresh_token(request: web.Request) -> web.Response:
    params = await read(request, RefreshParams)
    if not params.refresh_token:
        raise OAuthError(400, "invalid_request", "refresh_token required")
    async with transaction(request) as db:
        outcome = await sessions.rotate(db, params.refresh_token, _device(request))
        if isinstance(outcome, sessions.Grant):
            identities = await users.identities_of(db, outcome.user.id)
    if isinstance(outcome, AuthError):
        raise outcome
    return web.json_response(grant_answer(request.app[SETTINGS], outcome, identities))


async def _register(db: Db, email: str, password_hash: str, data: Metadata) -> User:
    """Makes a user in the steps, and so with the triggers, of the real server."""
    with failing_as("Database error saving new user"):
        user = await users.insert(db, email, password_hash, data)
    with failing_as("Database error updating user"):
        metadata = await users.insert_identity(db, user.id, email, data)
        await users.update(
            db,
            user.id,
            {
                "role": users.ROLE,
                "email_confirmed_at": datetime.now(UTC),
                "raw_app_meta_data": users.merged(user.raw_app_meta_data, users.EMAIL_ONLY),
                "raw_user_meta_data": users.merged(
                    user.raw_user_meta_data, {**metadata, "email_verified": True}
                ),
            },
        )
        return await users.reload(db, user.id)


def _device(request: web.Request) -> Device:
    return Device(request.headers.get("User-Agent"), request.remote)
