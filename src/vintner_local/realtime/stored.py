"""Broadcasts that the database keeps in `realtime.messages`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import psycopg

from vintner_local.realtime.frames import UserBroadcast, dumps
from vintner_local.realtime.join import ReplayConfig

_REPLAY = """
select id::text, event, payload::text
from (
  select id, event, payload, inserted_at
  from realtime.messages
  where topic = %s and private and extension = 'broadcast' and inserted_at >= %s
    and event is not null and payload is not null
  order by inserted_at desc
  limit %s
) as newest
order by inserted_at
"""


def stored_broadcast(row: Mapping[str, str]) -> UserBroadcast | None:
    """The broadcast that a row of `realtime.messages` stands for.

    Args:
        row: its columns in text form; NULL columns are missing.

    Returns:
        The broadcast, or None for a row that is none.
    """
    if row.get("extension") != "broadcast" or "payload" not in row or "event" not in row:
        return None
    meta = dumps({"id": row["id"]})
    return UserBroadcast(row["event"], row["payload"].encode(), meta=meta)


async def replayed_broadcasts(
    connection: psycopg.AsyncConnection, topic: str, replay: ReplayConfig
) -> list[UserBroadcast]:
    """Stored private broadcasts of a topic, oldest first.

    Args:
        connection: a superuser's.
        topic: the topic without `realtime:`.
        replay: since when, and how many at most (the newest ones).
    """
    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=replay.since)
    values = (topic, since.replace(tzinfo=None), replay.limit)
    found = await connection.execute(_REPLAY, values)
    return [
        UserBroadcast(event, payload.encode(), meta=dumps({"id": number, "replayed": True}))
        for number, event, payload in await found.fetchall()
    ]
