"""Who a request speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from vintner_local.auth import sessions, users
from vintner_local.auth.errors import AuthError
from vintner_local.auth.tokens import Claims, verify
from vintner_local.auth.users import Db, User
from vintner_local.keys import is_opaque
from vintner_local.settings import BEARER, SETTINGS

ADMIN_ROLES = ("service_role", "supabase_admin")


@dataclass(frozen=True, slots=True)
class Speaker:
    """A signed-in user and the session the token belongs to."""

    user: User
    session_id: UUID | None


async def speaker(request: web.Request, db: Db) -> Speaker:
    """The user whose access token a request carries.

    Raises:
        AuthError: 401 `no_authorization`; 403 `bad_jwt`, `user_not_found`, `session_not_found` or
            `user_banned`.
    """
    claims = _claims(request)
    if not claims.sub:
        raise AuthError(403, "bad_jwt", "invalid claim: missing sub claim")
    if claims.aud not in (users.AUDIENCE, [users.AUDIENCE]):
        message = "Token audience doesn't match request audience"
        raise AuthError(400, "validation_failed", message)
    user_id = _uuid(claims.sub)
    if user_id is None:
        raise AuthError(400, "bad_jwt", "invalid claim: sub claim must be a UUID")
    user = await users.find(db, user_id)
    if user is None:
        message = "User from sub claim in JWT does not exist"
        raise AuthError(403, "user_not_found", message)
    session_id = None
    if claims.session_id:
        session_id = _uuid(claims.session_id)
        if session_id is None:
            raise AuthError(403, "bad_jwt", "invalid claim: session_id claim must be a UUID")
        if not await sessions.exists(db, session_id):
            message = "Session from session_id claim in JWT does not exist"
            raise AuthError(403, "session_not_found", message)
    if user.is_banned:
        raise AuthError(403, "user_banned", "User is banned")
    return Speaker(user, session_id)


def require_admin(request: web.Request) -> None:
    """Lets only the secret key (or a service_role token) pass.

    Raises:
        AuthError: 401 `no_authorization`, 403 `bad_jwt` or `not_admin`.
    """
    if _claims(request).role not in ADMIN_ROLES:
        raise AuthError(403, "not_admin", "User not allowed")


def _claims(request: web.Request) -> Claims:
    """The gateway lends its token only to opaque keys, as a hosted project's does."""
    scheme, _, _ = request.headers.get("Authorization", "").partition(" ")
    apikey = request.headers.get("apikey") or request.query.get("apikey", "")
    if scheme.lower() != "bearer" and not is_opaque(apikey):
        message = "This endpoint requires a Bearer token"
        raise AuthError(401, "no_authorization", message)
    return verify(request[BEARER], request.app[SETTINGS].keys.jwt_secret)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
