"""What signed-in users do with themselves."""

from __future__ import annotations

from aiohttp import web

from vintner_local.auth import passwords, sessions, users
from vintner_local.auth.access import speaker
from vintner_local.auth.database import transaction
from vintner_local.auth.errors import EMAIL_TAKEN, AuthError, failing_as, not_here
from vintner_local.auth.params import UserParams, email_address, read
from vintner_local.auth.sessions import Scope
from vintner_local.auth.users import Db, User


async def get(request: web.Request) -> web.Response:
    """GET /user: the user whose session holds."""
    async with transaction(request) as db:
        user = (await speaker(request, db)).user
        identities = await users.identities_of(db, user.id)
    return web.json_response(user.with_identities(identities))


async def update(request: web.Request) -> web.Response:
    """PUT /user: a new password, which ends the user's other sessions, or new metadata."""
    async with transaction(request) as db:
        speaking = await speaker(request, db)
        user = speaking.user
        params = await read(request, UserParams)
        email = email_address(params.email) if params.email else None
        if params.password is not None:
            passwords.check_rules(params.password)
        if params.app_metadata is not None:
            message = "Updating app_metadata requires admin privileges"
            raise AuthError(403, "not_admin", message)
        await _refuse_new_address(db, user, email, params.phone)
        changes: dict[str, object] = {}
        if params.password is not None:
            if await passwords.matches(params.password, user.encrypted_password):
                message = "New password should be different from the old password."
                raise AuthError(422, "same_password", message)
            changes |= {"encrypted_password": await passwords.hash_password(params.password)}
        if params.data is not None:
            changes["raw_user_meta_data"] = users.merged(user.raw_user_meta_data, params.data)
        with failing_as("Error updating user"):
            await users.update(db, user.id, changes)
            if params.password is not None:
                await sessions.end(db, user.id, speaking.session_id, Scope.OTHERS)
            changed = await users.reload(db, user.id)
            identities = await users.identities_of(db, user.id)
    return web.json_response(changed.with_identities(identities))


async def log_out(request: web.Request) -> web.Response:
    """POST /logout?scope=global|local|others."""
    async with transaction(request) as db:
        speaking = await speaker(request, db)
        asked = request.query.get("scope") or Scope.GLOBAL
        try:
            scope = Scope(asked)
        except ValueError:
            message = f'Unsupported logout scope "{asked}"'
            raise AuthError(400, "validation_failed", message) from None
        with failing_as("Error logging out user"):
            await sessions.end(db, speaking.user.id, speaking.session_id, scope)
    return web.Response(status=204)


async def _refuse_new_address(db: Db, user: User, email: str | None, phone: str | None) -> None:
    """A user's new address holds only after an answer to a message, and none is sent here."""
    if email and email != user.email:
        with failing_as("Database error checking email"):
            holder = await users.find_holder(db, email, besides=user.id)
        if holder is not None:
            raise AuthError(422, "email_exists", EMAIL_TAKEN)
        raise not_here("a user's own change of e-mail address (the admin API can change it)")
    if phone and phone != user.phone:
        raise not_here("phone numbers")
