"""Who may read and write a private channel: the policies on `realtime.messages` decide.

As on the real server, probe rows are inserted and read back as the user, with `realtime.topic()`
set, in a transaction that is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from vintner_local.realtime.tokens import Token

_EXTENSIONS = ("broadcast", "presence")
_INSERT = """
insert into realtime.messages (topic, extension, event, payload, private)
values (%s, %s, 'probe', '{}', true)
"""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do on a private channel, by extension (`broadcast`, `presence`)."""

    read: Mapping[str, bool]
    write: Mapping[str, bool]


ALL_RIGHTS = Rights(read=dict.fromkeys(_EXTENSIONS, True), write=dict.fromkeys(_EXTENSIONS, True))
"""Public channels are open to everybody."""


async def read_rights(connection: psycopg.AsyncConnection, topic: str, token: Token) -> Rights:
    """Asks the policies.

    Args:
        connection: a superuser's.
        topic: the channel's topic without `realtime:`.
        token: whose rights are asked for.

    Raises:
        psycopg.Error: the role does not exist or the database is away.
    """
    async with connection.transaction(force_rollback=True):
        for extension in _EXTENSIONS:
            await connection.execute(_INSERT, (topic, extension))
        await _become(connection, topic, token)
        return Rights(
            read={name: await _may_read(connection, topic, name) for name in _EXTENSIONS},
            write={name: await _may_write(connection, topic, name) for name in _EXTENSIONS},
        )


async def _become(connection: psycopg.AsyncConnection, topic: str, token: Token) -> None:
    settings = {
        "realtime.topic": topic,
        "request.jwt.claims": json.dumps(token.claims),
        "request.jwt.claim.sub": str(token.claims.get("sub") or ""),
        "request.jwt.claim.role": token.role,
        "search_path": "public, extensions, realtime",
        "role": token.role,
    }
    for name, value in settings.items():
        await connection.execute("select pg_catalog.set_config(%s, %s, true)", (name, value))


async def _may_read(connection: psycopg.AsyncConnection, topic: str, extension: str) -> bool:
    try:
        async with connection.transaction():
            found = await connection.execute(
                "select 1 from realtime.messages where topic = %s and extension = %s limit 1",
                (topic, extension),
            )
            return await found.fetchone() is not None
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False


async def _may_write(connection: psycopg.AsyncConnection, topic: str, extension: str) -> bool:
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(_INSERT, (topic, extension))
            return True
    except psycopg.OperationalError:
        raise
    except psycopg.Error:
        return False
