"""The pool of connections, and one transaction a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from aiohttp import web
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from vintner_local.auth.users import Db
from vintner_local.settings import SETTINGS

LARGEST = 10
# Long enough for a server that restarts, and less than the five seconds that clients wait.
PATIENCE_SECONDS = 3.0

Pool = AsyncConnectionPool[AsyncConnection[DictRow]]
POOL: web.AppKey[Pool] = web.AppKey("pool", AsyncConnectionPool)


async def open_pool(app: web.Application) -> AsyncIterator[None]:
    """Keeps a pool open while the application runs; the database may come late or go away."""
    pool = Pool(
        app[SETTINGS].auth_dsn,
        kwargs={"row_factory": dict_row, "options": "-c timezone=UTC"},
        min_size=1,
        max_size=LARGEST,
        timeout=PATIENCE_SECONDS,
        reconnect_timeout=PATIENCE_SECONDS,
        check=AsyncConnectionPool.check_connection,
        open=False,
        name="auth",
    )
    await pool.open()
    app[POOL] = pool
    yield
    await pool.close()


def transaction(request: web.Request) -> AbstractAsyncContextManager[Db]:
    """A connection whose transaction is committed at the end, or undone by an exception."""
    return request.app[POOL].connection()
