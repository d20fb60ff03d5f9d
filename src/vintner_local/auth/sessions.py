"""Sessions and their refresh tokens: issued, rotated, revoked.

A refresh token holds once. Its use gives a child; using it again gives the same child to a client
that lost the answer or raced itself, and ends the whole family where it may have been stolen.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from psycopg.rows import class_row

from vintner_local.auth import users
from vintner_local.auth.errors import AuthError
from vintner_local.auth.users import Db, User

REUSE_INTERVAL = timedelta(seconds=10)


class Scope(StrEnum):
    """Which of a user's sessions a sign-out ends."""

    GLOBAL = "global"
    LOCAL = "local"
    OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Device:
    """What is noted of the client: its program and address."""

    user_agent: str | None
    ip: str | None


@dataclass(frozen=True, slots=True)
class Grant:
    """A session with its live refresh token.

    Attributes:
        user: whose.
        session_id: which.
        since: when the password was given.
        refresh_token: to be used once.
    """

    user: User
    session_id: UUID
    since: datetime
    refresh_token: str


@dataclass(frozen=True, slots=True)
class _Token:
    token: str
    user_id: UUID
    session_id: UUID | None
    parent: str | None
    revoked: bool
    updated_at: datetime


async def issue(db: Db, user: User, device: Device) -> Grant:
    """Opens a session for a user who has just signed in."""
    now = datetime.now(UTC)
    session_id = uuid4()
    await users.update(db, user.id, {"last_sign_in_at": now})
    await db.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)"
        " values (%s, %s, %s, %s, 'aal1', %s, %s)",
        [session_id, user.id, now, now, device.user_agent, device.ip],
    )
    token = await _insert_token(db, user.id, session_id, None)
    return Grant(await users.reload(db, user.id), session_id, now, token)


async def rotate(db: Db, given: str, device: Device) -> Grant | AuthError:
    """Exchanges a refresh token.

    Args:
        db: connection; the session stays locked until its transaction ends.
        given: the refresh token.
        device: who asks.

    Returns:
        The session with a live token, or a refusal after which the transaction must be committed:
        it ended the token's family.

    Raises:
        AuthError: 400, with nothing changed.
    """
    found = await _find_token(db, given)
    if found is None:
        raise _refused("refresh_token_not_found", "Refresh Token Not Found")
    # In the order in which a user's deletion takes them, or the two could deadlock.
    user = await users.find(db, found.user_id, lock=True)
    if user is None:
        raise _refused("refresh_token_not_found", "Refresh Token Not Found")
    if user.is_banned:
        raise _refused("user_banned", "User Banned")
    locked = await db.execute(
        "select created_at, not_after from auth.sessions where id = %s for update",
        [found.session_id],
    )
    session = await locked.fetchone()
    if session is None or found.session_id is None:
        raise _refused("session_not_found", "No Valid Session Found")
    now = datetime.now(UTC)
    if session["not_after"] is not None and now > session["not_after"]:
        raise _refused("session_expired", "Session Expired")
    token = await _find_token(db, given)
    if token is None:
        raise _refused("refresh_token_not_found", "Refresh Token Not Found")
    if token.revoked:
        live = await _live_token(db, found.session_id)
        if live is None or not (live.parent == given or now < token.updated_at + REUSE_INTERVAL):
            await _revoke_all(db, found.session_id)
            return _refused("refresh_token_already_used", "Already Used")
        successor = live.token
    else:
        await db.execute(
            "update auth.refresh_tokens set revoked = true, updated_at = %s where token = %s",
            [now, given],
        )
        successor = await _insert_token(db, user.id, found.session_id, given)
        await users.update(db, user.id, {})
    await db.execute(
        "update auth.sessions set refreshed_at = %s at time zone 'utc', user_agent = %s, ip = %s,"
        " updated_at = %s where id = %s",
        [now, device.user_agent, device.ip, now, found.session_id],
    )
    refreshed = await users.reload(db, user.id)
    return Grant(refreshed, found.session_id, session["created_at"], successor)


async def exists(db: Db, session_id: UUID) -> bool:
    """Whether a session has not been ended."""
    found = await db.execute("select 1 from auth.sessions where id = %s", [session_id])
    return await found.fetchone() is not None


async def end(db: Db, user_id: UUID, session_id: UUID | None, scope: Scope) -> None:
    """Ends sessions of a user, and with them their refresh tokens.

    Args:
        db: connection.
        user_id: whose sessions.
        session_id: the session that asks; without one, all are ended.
        scope: which, seen from that session.
    """
    if session_id is None or scope is Scope.GLOBAL:
        await db.execute("delete from auth.sessions where user_id = %s", [user_id])
    elif scope is Scope.LOCAL:
        await db.execute("delete from auth.sessions where id = %s", [session_id])
    else:
        await db.execute(
            "delete from auth.sessions where user_id = %s and id <> %s", [user_id, session_id]
        )


async def _insert_token(db: Db, user_id: UUID, session_id: UUID, parent: str | None) -> str:
    token = secrets.token_hex(16)
    now = datetime.now(UTC)
    await db.execute(
        "insert into auth.refresh_tokens (instance_id, token, user_id, session_id, parent, revoked,"
        " created_at, updated_at) values (%s, %s, %s, %s, %s, false, %s, %s)",
        [users.INSTANCE, token, str(user_id), session_id, parent, now, now],
    )
    return token


async def _find_token(db: Db, token: str) -> _Token | None:
    async with db.cursor(row_factory=class_row(_Token)) as cursor:
        await cursor.execute(
            "select token, user_id::uuid, session_id, parent, revoked, updated_at"
            " from auth.refresh_tokens where token = %s",
            [token],
        )
        return await cursor.fetchone()


async def _live_token(db: Db, session_id: UUID) -> _Token | None:
    async with db.cursor(row_factory=class_row(_Token)) as cursor:
        await cursor.execute(
            "select token, user_id::uuid, session_id, parent, revoked, updated_at"
            " from auth.refresh_tokens where session_id = %s and not revoked"
            " order by id desc limit 1",
            [session_id],
        )
        return await cursor.fetchone()


async def _revoke_all(db: Db, session_id: UUID) -> None:
    await db.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = now()"
        " where session_id = %s and not revoked",
        [session_id],
    )


def _refused(code: str, reason: str) -> AuthError:
    return AuthError(400, code, f"Invalid Refresh Token: {reason}")
