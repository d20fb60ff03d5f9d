"""Users as their administrator sees them: for the secret key alone."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web

from vintner_local.auth import passwords, sessions, users
from vintner_local.auth.access import require_admin
from vintner_local.auth.database import transaction
from vintner_local.auth.errors import EMAIL_TAKEN, AuthError, failing_as, not_here
from vintner_local.auth.params import (
    AdminUserParams,
    DeletionParams,
    ban_duration,
    email_address,
    read,
)
from vintner_local.auth.sessions import Scope
from vintner_local.auth.users import Db, User

PAGE_SIZE = 50
LARGEST_NUMBER = 2**31


async def index(request: web.Request) -> web.Response:
    """GET /admin/users?page=&per_page=&filter=."""
    require_admin(request)
    if request.query.get("sort"):
        raise not_here("sorted lists of users")
    number = max(_number(request, "page", 1), 1)
    size = _number(request, "per_page", PAGE_SIZE)
    if size == 0:
        raise AuthError(400, "validation_failed", "Bad Pagination Parameters: per_page is 0")
    async with transaction(request) as db:
        with failing_as("Database error finding users"):
            found, total = await users.page(db, number, size, request.query.get("filter", ""))
    body = {
        "users": [{**user.as_json(), "identities": None} for user in found],
        "aud": users.AUDIENCE,
    }
    last = -(-total // size)
    links = [f'<{_link(request, last)}>; rel="last"']
    if last > number:
        links.insert(0, f'<{_link(request, number + 1)}>; rel="next"')
    headers = {"X-Total-Count": str(total), "Link": ", ".join(links)}
    return web.json_response(body, headers=headers)


async def create(request: web.Request) -> web.Response:
    """POST /admin/users: a user, confirmed if the request says so."""
    require_admin(request)
    params = await read(request, AdminUserParams)
    _refuse_uncovered(params)
    if not params.email:
        message = "Cannot create a user without either an email or phone"
        raise AuthError(400, "validation_failed", message)
    email = email_address(params.email)
    user_id = _new_id(params.id) if params.id else None
    banned_until = _banned_until(params.ban_duration)
    # As on the real server, an administrator is held to bcrypt's length alone.
    password = params.password or secrets.token_urlsafe(48)
    if len(password.encode()) > passwords.LONGEST_BYTES:
        message = "bcrypt: password length exceeds 72 bytes"
        raise AuthError(400, "validation_failed", message)
    password_hash = params.password_hash or await passwords.hash_password(password)
    async with transaction(request) as db:
        with failing_as("Database error checking email"):
            if await users.find_holder(db, email) is not None:
                raise AuthError(422, "email_exists", EMAIL_TAKEN)
        with failing_as("Database error creating new user"):
            metadata = params.user_metadata or {}
            user = await users.insert(db, email, password_hash, metadata, user_id)
            await users.insert_identity(db, user.id, email, {})
            changes = _changes(user, params, banned_until)
            await users.update(db, user.id, {"role": users.ROLE, **changes})
            answer = await _as_it_is(db, user.id)
    return answer


async def show(request: web.Request) -> web.Response:
    """GET /admin/users/{id}."""
    require_admin(request)
    async with transaction(request) as db:
        user = await _named(request, db)
        return web.json_response(user.with_identities(await users.identities_of(db, user.id)))


async def update(request: web.Request) -> web.Response:
    """PUT /admin/users/{id}: a new password ends all of the user's sessions."""
    require_admin(request)
    async with transaction(request) as db:
        user = await _named(request, db)
        params = await read(request, AdminUserParams)
        _refuse_uncovered(params)
        email = email_address(params.email) if params.email else None
        changes = _changes(user, params, _banned_until(params.ban_duration))
        if params.password is not None:
            passwords.check_rules(params.password)
            changes |= {"encrypted_password": await passwords.hash_password(params.password)}
        with failing_as("Error updating user"):
            if email is not None:
                verified = bool(params.email_confirm)
                await users.update_identity(db, user.id, email, verified=verified)
                changes["email"] = email
            await users.update(db, user.id, changes)
            if params.password is not None:
                await sessions.end(db, user.id, None, Scope.GLOBAL)
            answer = await _as_it_is(db, user.id)
    return answer


async def delete(request: web.Request) -> web.Response:
    """DELETE /admin/users/{id}, with sessions and identities."""
    require_admin(request)
    async with transaction(request) as db:
        user = await _named(request, db)
        if await request.read():
            params = await read(request, DeletionParams)
            if params.should_soft_delete:
                raise not_here("soft deletion of users")
        with failing_as("Database error deleting user"):
            await users.delete(db, user.id)
    return web.json_response({})


async def _named(request: web.Request, db: Db) -> User:
    try:
        user_id = UUID(request.match_info["user_id"])
    except ValueError:
        raise AuthError(404, "validation_failed", "user_id must be an UUID") from None
    with failing_as("Database error loading user"):
        user = await users.find(db, user_id)
    if user is None:
        raise AuthError(404, "user_not_found", "User not found")
    return user


async def _as_it_is(db: Db, user_id: UUID) -> web.Response:
    user = await users.reload(db, user_id)
    return web.json_response(user.with_identities(await users.identities_of(db, user_id)))


def _changes(
    user: User, params: AdminUserParams, banned_until: dict[str, object]
) -> dict[str, object]:
    changes = dict(banned_until)
    metadata = users.merged(user.raw_user_meta_data, params.user_metadata or {})
    if params.role:
        changes["role"] = params.role.strip()
    if params.email_confirm:
        changes |= {"confirmation_token": "", "email_confirmed_at": datetime.now(UTC)}
        metadata["email_verified"] = True
    if params.app_metadata is not None:
        changes["raw_app_meta_data"] = users.merged(user.raw_app_meta_data, params.app_metadata)
    if metadata != user.raw_user_meta_data:
        changes["raw_user_meta_data"] = metadata
    return changes


def _refuse_uncovered(params: AdminUserParams) -> None:
    if params.phone or params.phone_confirm:
        raise not_here("phone numbers")
    if params.aud and params.aud != users.AUDIENCE:
        raise not_here("audiences of your own")
    if params.password_hash:
        if params.password is not None:
            message = "Only a password or a password hash should be provided"
            raise AuthError(400, "validation_failed", message)
        if passwords.BCRYPT_HASH.fullmatch(params.password_hash) is None:
            raise not_here("password hashes other than bcrypt")


def _banned_until(text: str | None) -> dict[str, object]:
    if not text:
        return {}
    duration = ban_duration(text)
    return {"banned_until": datetime.now(UTC) + duration if duration else None}


def _new_id(text: str) -> UUID:
    try:
        given = UUID(text)
    except ValueError:
        message = "ID must conform to the uuid v4 format"
        raise AuthError(400, "validation_failed", message) from None
    if given.int == 0:
        raise AuthError(400, "validation_failed", "ID cannot be a nil uuid")
    return given


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name) or str(default)
    if not (text.isascii() and text.isdigit()) or int(text) > LARGEST_NUMBER:
        message = f'Bad Pagination Parameters: parsing "{text}": invalid syntax'
        raise AuthError(400, "validation_failed", message)
    return int(text)


def _link(request: web.Request, page: int) -> str:
    query = sorted({**request.query, "page": str(page)}.items())
    return f"/admin/users?{urlencode(query)}"
