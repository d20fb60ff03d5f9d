"""What all connections of one server share, and the tasks that run beside them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool

from vintner_local.ending import end
from vintner_local.keys import Keys
from vintner_local.realtime.feed import ChangeFeed
from vintner_local.realtime.hub import Hub
from vintner_local.realtime.limits import Limits, Waits, waits_of
from vintner_local.realtime.pgoutput import Begin, RowChange, Unchanged
from vintner_local.realtime.replication import ReplicationStream
from vintner_local.realtime.stored import stored_broadcast
from vintner_local.settings import ApiSettings

log = logging.getLogger(__name__)

_RESTART_PAUSE = 1.0
_PRUNE_INTERVAL = 3600.0
_CONNECTION_OPTIONS = (
    "-c search_path= -c timezone=UTC -c datestyle=ISO -c statement_timeout=15s"
    " -c idle_in_transaction_session_timeout=60s"
)
_PUBLISHED = """
select coalesce(array_agg(c.oid::int8 order by c.oid), '{}')
from pg_catalog.pg_publication_tables as p
join pg_catalog.pg_namespace as n on n.nspname = p.schemaname
join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = 'supabase_realtime'
"""


class RealtimeServer:
    """One server: its rooms, its database connections and its stream of changes.

    Args:
        settings: see `ApiSettings`.
        limits: bounds of a connection.
    """

    def __init__(self, settings: ApiSettings, limits: Limits) -> None:
        self.keys: Keys = settings.keys
        self.limits = limits
        self.waits: Waits = waits_of(settings.realtime_delay)
        self.hub = Hub()
        self._pool = AsyncConnectionPool(
            settings.realtime_dsn,
            kwargs={"autocommit": True, "options": _CONNECTION_OPTIONS},
            min_size=1,
            max_size=5,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )
        self._stream = ReplicationStream(settings.realtime_dsn)
        self._feed = ChangeFeed(self.connection, self.hub, self.waits.poll)
        self._subscribed_before = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A database connection as superuser, in autocommit mode, with an empty search path."""
        async with self._pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the server's tasks for as long as the context lasts."""
        await self._pool.open(wait=False)
        jobs = (self._read_stream, self._feed.run, self._watch_publication, self._prune_messages)
        tasks = [asyncio.create_task(_keep_running(job)) for job in jobs]
        try:
            yield
        finally:
            await end(*tasks)
            await self._pool.close()

    async def started(self) -> None:
        """Waits, for a time at most, until changes and broadcasts of the database arrive.

        Only a server that has just started makes a join wait.
        """
        if not self._stream.has_streamed:
            await self._stream.wait_until_streaming(self.limits.join_patience)

    async def confirmable(self) -> None:
        """Waits until a subscription may be confirmed.

        The slot is waited for, but not for ever: like the real server's, a confirmation proves no
        slot.
        """
        if not self._subscribed_before:
            self._subscribed_before = True
            await asyncio.sleep(random.uniform(*self.waits.first_subscribe))  # noqa: S311
        if not await self._stream.wait_until_streaming(self.limits.confirm_patience):
            log.warning("a subscription is confirmed although no changes arrive yet")

    async def _read_stream(self) -> None:
        async with aclosing(self._stream.messages()) as messages:
            async for message in messages:
                if isinstance(message, Begin):
                    self._feed.begin(message)
                elif isinstance(message, RowChange):
                    relation = message.relation
                    if (relation.schema, relation.table) == ("realtime", "messages"):
                        self._send_stored(message)
                    else:
                        await self._feed.put(message)

    def _send_stored(self, change: RowChange) -> None:
        """Sends a broadcast that the database wrote to `realtime.messages`."""
        names = [column.name for column in change.relation.columns]
        row = {
            name: value.decode()
            for name, value in zip(names, change.new or (), strict=False)
            if value is not None and not isinstance(value, Unchanged)
        }
        stored = stored_broadcast(row)
        if stored is not None:
            self.hub.broadcast((row["topic"], row.get("private") == "t"), stored)

    async def _watch_publication(self) -> None:
        known: list[int] | None = None
        while True:
            with contextlib.suppress(psycopg.Error):
                async with self.connection() as connection:
                    row = await (await connection.execute(_PUBLISHED)).fetchone()
                tables = row[0] if row else []
                if known is not None and tables != known:
                    for listener in self.hub.listeners:
                        await listener.subscribe_again()
                known = tables
            await asyncio.sleep(self.waits.publication_check)

    async def _prune_messages(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error):
                async with self.connection() as connection:
                    await connection.execute(
                        "delete from realtime.messages"
                        " where inserted_at < pg_catalog.now() - %s * interval '1 day'",
                        (self.limits.message_days,),
                    )
            await asyncio.sleep(_PRUNE_INTERVAL)


async def _keep_running(job: Callable[[], Awaitable[None]]) -> None:
    """Runs an endless job again should it ever fail, so that no change goes unheard for good."""
    while True:
        try:
            await job()
        except asyncio.CancelledError:
            itself = asyncio.current_task()
            if itself is None or itself.cancelling():
                raise
            log.exception("a task of the server was cancelled by what it waited for")
        except Exception:
            log.exception("a task of the server failed and begins anew")
        await asyncio.sleep(_RESTART_PAUSE)
