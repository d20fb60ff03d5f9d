"""The connections of the REST API: a pool, a listener for NOTIFY, and the schema cache."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vintner_local.ending import end
from vintner_local.rest.catalog import load_schema
from vintner_local.rest.errors import failure
from vintner_local.rest.pipeline import Connection
from vintner_local.rest.response import Row
from vintner_local.rest.schema import Schema
from vintner_local.rest.statement import Statement

CHANNEL = "pgrst"
# What psycopg prepares by itself it forgets by DEALLOCATE ALL, and what `Connection` knows with it.
CONNECTING: dict[str, Any] = {
    "autocommit": True,
    "prepare_threshold": None,
    "application_name": "postgrest",
    # a request that is given up before its statement has begun cancels nothing
    "options": "-c client_connection_check_interval=1s",
}
POOL_SIZE = 20
POOL_WAIT_SECONDS = 10.0
OUTAGE_WAIT_SECONDS = 1.0
RECONNECT_SECONDS = 0.25


class Database:
    """Runs statements, and keeps the schema cache up to date.

    Args:
        dsn: connects as the role that may become every API role.
        schemas: the exposed schemas.
    """

    def __init__(self, dsn: str, schemas: tuple[str, ...]) -> None:
        self._dsn = dsn
        self._schemas = schemas
        self._schema: Schema | None = None
        self._loading = asyncio.Lock()
        self._changes = 0
        self._changes_read = 0
        self._reachable = asyncio.Event()
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=2,
            max_size=POOL_SIZE,
            open=False,
            timeout=POOL_WAIT_SECONDS,
            connection_class=Connection,
            kwargs=CONNECTING,
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Holds the connections open; an absent database is waited for in the background."""
        await self._pool.open()
        listener = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            await end(listener)
            await self._pool.close()

    async def schema(self) -> Schema:
        """The schema cache, read anew if the database has changed, as far as it can be reached.

        Raises:
            RestError: 503, an exposed schema is missing or the database is away.
        """
        async with self._loading:
            if self._schema is None or self._changes_read < self._changes:
                changes = self._changes
                try:
                    async with self._connection() as connection:
                        self._schema = await load_schema(connection, self._schemas)
                    self._changes_read = changes
                except psycopg.Error as error:
                    if self._schema is None:
                        raise failure("PGRST002", details=error.diag.message_primary) from None
            return self._schema

    async def reload(self) -> Schema:
        """Reads the schema cache anew; those who ask during one reading share the next.

        Raises:
            RestError: see `schema`.
        """
        self._changes += 1
        return await self.schema()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            if not self._reachable.is_set():
                await asyncio.wait_for(self._reachable.wait(), OUTAGE_WAIT_SECONDS)
            connection = await self._pool.getconn()
        except PoolTimeout:
            raise failure("PGRST003") from None
        except TimeoutError:
            raise failure("PGRST000") from None
        try:
            yield connection
        finally:
            await self._pool.putconn(connection)

    async def run(
        self,
        settings: Statement,
        statement: Statement,
        *,
        read_only: bool,
        check: Callable[[Row], None] | None,
    ) -> Row:
        """Runs a statement in a transaction, by one round trip where nothing is checked.

        Args:
            settings: run first; sets role and settings for the transaction.
            statement: gives one row.
            read_only: whether there is nothing to commit.
            check: looks at the row before the commit; what it raises undoes all.

        Raises:
            RestError: 503 or 504, there is no connection to be had.
            psycopg.Error: PostgreSQL refused one, or the connection was lost.
        """
        # What a pipeline sends is one transaction anyway; only a commit that may fail, as
        # deferred constraints do, has to be a statement of its own.
        opening = [] if read_only else [Statement("BEGIN")]
        closing = [] if read_only or check else [Statement("COMMIT")]
        statements = [*opening, settings, statement, *closing]
        async with self._connection() as connection:
            try:
                results = await connection.pipelined(statements, self._changes_read)
                result = results[len(opening) + 1]
                row = tuple(result.get_value(0, i) for i in range(result.nfields))
                if check:
                    check(row)
                    await connection.commit()
            except BaseException:
                if not connection.closed:
                    await connection.rollback()
                raise
            return row

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                async with await Connection.connect(self._dsn, **CONNECTING) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await self._pool.check()
                    self._reachable.set()
                    self._changes += 1
                    async for notice in connection.notifies():
                        self._changes += notice.payload in ("", "reload schema", "reload config")
            self._reachable.clear()
            await asyncio.sleep(RECONNECT_SECONDS)
