"""Carries changes to the channels, at once or in the rhythm of the real server's polling."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import groupby

import psycopg
from psycopg_pool import PoolTimeout

from vintner_local.realtime.changes import ChangeJudge
from vintner_local.realtime.hub import Hub
from vintner_local.realtime.pgoutput import Begin, RowChange

log = logging.getLogger(__name__)

_WAITING_CHANGES = 1000
_UNHEARD_PAUSE = (0.15, 0.2)

_FIRST_LOOK, _LAST_LOOK = 0.001, 4.0
# The epoch is that of the snapshot's end, unless the number has just wrapped around.
_VISIBLE = """
select pg_catalog.pg_visible_in_snapshot(
  (near.whole + case when near.whole - near.ends > 2147483648 then -4294967296
                     when near.ends - near.whole > 2147483648 then 4294967296
                     else 0 end)::text::xid8,
  near.snapshot
)
from (
  select now.snapshot, now.ends, (now.ends >> 32 << 32) + %(xid)s as whole
  from (
    select s as snapshot, pg_catalog.pg_snapshot_xmax(s)::text::int8 as ends
    from pg_catalog.pg_current_snapshot() as s
  ) as now
) as near
"""

Connect = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection]]


class ChangeFeed:
    """Judges changes in commit order and delivers their events.

    Args:
        connect: gives a superuser's connection.
        hub: knows the listeners.
        poll: seconds between polls when idle, or None to deliver changes as they come.
    """

    def __init__(self, connect: Connect, hub: Hub, poll: float | None) -> None:
        self._connect = connect
        self._hub = hub
        self._poll = poll
        self._transaction: Begin | None = None
        self._waiting: asyncio.Queue[tuple[Begin, RowChange]] = asyncio.Queue(_WAITING_CHANGES)

    def begin(self, transaction: Begin) -> None:
        """The changes that follow belong to this transaction."""
        self._transaction = transaction

    async def put(self, change: RowChange) -> None:
        """Takes a change; waits while too many are waiting, which holds the stream back."""
        if self._transaction is not None:
            await self._waiting.put((self._transaction, change))

    async def run(self) -> None:
        """Delivers until the task is cancelled."""
        if self._poll is None:
            while True:
                first = await self._waiting.get()
                await self._deliver([first, *self._take_waiting()])
        pause = self._poll
        while True:
            await asyncio.sleep(pause)
            batch = self._take_waiting()
            if not batch:
                pause = self._poll
            elif await self._deliver(batch):
                pause = 0.0
            else:
                pause = random.uniform(*_UNHEARD_PAUSE)  # noqa: S311 - a pause, no secret

    def _take_waiting(self) -> list[tuple[Begin, RowChange]]:
        return [self._waiting.get_nowait() for _ in range(self._waiting.qsize())]

    async def _deliver(self, batch: list[tuple[Begin, RowChange]]) -> int:
        """Delivers changes and says how many events that made; what fails is lost."""
        if not self._hub.listeners:
            return 0
        delivered = 0
        try:
            async with self._connect() as connection:
                for transaction, changes in groupby(batch, key=lambda each: each[0]):
                    await wait_until_visible(connection, transaction.xid)
                    judge = ChangeJudge(connection, transaction.committed_at)
                    for _, change in changes:
                        delivered += await self._deliver_one(connection, judge, change)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("up to %d changes are lost: %s", len(batch), str(error).strip())
        return delivered

    async def _deliver_one(
        self, connection: psycopg.AsyncConnection, judge: ChangeJudge, change: RowChange
    ) -> int:
        try:
            events = await judge.events(change, self._hub.listeners)
        except Exception as error:
            if connection.closed:
                raise
            # Whatever it is, the changes of other tables go on.
            table = f"{change.relation.schema}.{change.relation.table}"
            trace = None if isinstance(error, psycopg.Error) else error
            log.warning("a change of %s is lost: %s", table, str(error).strip(), exc_info=trace)
            return 0
        for event in events:
            if event.listener in self._hub.listeners:
                event.listener.hear("postgres_changes", event.payload)
        return len(events)


async def wait_until_visible(connection: psycopg.AsyncConnection, xid: int) -> None:
    """Waits until other sessions see what a transaction did, for some seconds at most.

    The stream tells of a commit as soon as it is in the log, which is before PostgreSQL lets others
    see it: judged at once, a new row would be invisible to its own owner.

    Args:
        connection: any, in autocommit mode.
        xid: the transaction's number, without the epoch.

    Raises:
        psycopg.Error: the database is away.
    """
    pause = _FIRST_LOOK
    while pause < _LAST_LOOK:
        row = await (await connection.execute(_VISIBLE, {"xid": xid})).fetchone()
        if row is not None and row[0]:
            return
        await asyncio.sleep(pause)
        pause *= 2
    log.warning("transaction %d was committed but stays invisible", xid)
