"""A subscription to changes of tables that heals itself.

The realtime package's own recovery has holes (a channel that is closed for good after a bad
rejoin, no rejoin after a token's expiry, silence after five tries), so it is switched off: whenever
anything about the connection is wrong, this opens a new one and says RESYNC, upon which the
subscriber fetches what it may have missed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vintner_client.errors import VintnerError

if TYPE_CHECKING:
    from realtime import AsyncRealtimeClient

    from vintner_client._live.entry import TokenSource

TOKEN_CHECK_INTERVAL = 1.0
SUBSCRIBE_TIMEOUT = 20.0
CLOSE_TIMEOUT = 2.0
BACKOFF_FIRST = 0.5
BACKOFF_MOST = 15.0

log = logging.getLogger(__name__)
# every failure of a connection is handled here; the package would print it on stderr
logging.getLogger("realtime").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Watch:
    """Which changes of which table are wanted.

    Attributes:
        event: INSERT, UPDATE, DELETE, or * for all of them.
        table: a published table of `public`.
        filter: in Realtime's form, such as `id=eq.1`; None for every row.
    """

    event: str
    table: str
    filter: str | None = None


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        event: INSERT, UPDATE or DELETE.
        table: where.
        record: the new row, or None where the server could not send it whole. It lacks a long
            value that an UPDATE left as it was.
        key: the primary key of the row before; empty for an INSERT. DELETEs reach everybody.
    """

    event: str
    table: str
    record: dict[str, Any] | None
    key: dict[str, Any]


class Signal(Enum):
    """What comes instead of a change."""

    RESYNC = "changes may have been missed before this moment; none is from here on"


class Changes:
    """The changes that some watches see. An async context manager.

    Args:
        url: the project's URL.
        key: its API key.
        auth: whose token the socket speaks with.
        watches: what is wanted.
    """

    def __init__(self, url: str, key: str, auth: TokenSource, watches: Sequence[Watch]) -> None:
        self._url = f"{url}/realtime/v1"
        self._key = key
        self._auth = auth
        self._watches = watches
        self._queue: asyncio.Queue[Change | Signal] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="vintner-changes")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the socket; returns when it is closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            # whoever still listens asks the server, and learns from that how things are
            self._queue.put_nowait(Signal.RESYNC)

    async def next(self, within: float) -> Change | Signal | None:
        """The next change or signal; None after `within` seconds without one."""
        try:
            async with asyncio.timeout(within):
                return await self._queue.get()
        except TimeoutError:
            return None

    async def _run(self) -> None:
        backoff = BACKOFF_FIRST
        while True:
            connection = _Connection(self._queue)
            try:
                await connection.open(self._url, self._key, self._auth, self._watches)
                backoff = BACKOFF_FIRST
                await connection.keep(self._auth)
            except VintnerError as error:
                log.debug("no token for Realtime: %s", error)
            except Exception as error:
                # websockets, realtime and the event loop raise many kinds; all mean: once more
                log.debug("the connection to Realtime failed: %r", error)
            finally:
                await connection.close()
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 jitter, no secret
            backoff = min(backoff * 2, BACKOFF_MOST)


class _Connection:
    """One socket with one channel, until anything goes wrong with it."""

    def __init__(self, queue: asyncio.Queue[Change | Signal]) -> None:
        self._queue = queue
        self._broken = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._client: AsyncRealtimeClient | None = None
        self._token: str | None = None

    async def open(self, url: str, key: str, auth: TokenSource, watches: Sequence[Watch]) -> None:
        """Connects, joins, and waits until the server says that it listens to the database.

        Raises:
            Exception: whatever went wrong.
        """
        from realtime import AsyncRealtimeClient, RealtimePostgresChangesListenEvent

        client = AsyncRealtimeClient(url, token=key, auto_reconnect=False, max_retries=1)
        self._client = client
        self._token = await auth.access_token()
        await client.set_auth(self._token)
        channel = client.channel("vintner")
        for watch in watches:
            channel.on_postgres_changes(
                RealtimePostgresChangesListenEvent(watch.event),
                self._on_change,
                table=watch.table,
                schema="public",
                filter=watch.filter,
            )
        channel.on_system(self._on_system)
        async with asyncio.timeout(SUBSCRIBE_TIMEOUT):
            await channel.subscribe(self._on_state)
            await self._either(self._subscribed.wait())
        if self._broken.is_set():
            raise ConnectionError("the channel was refused")

    async def keep(self, auth: TokenSource) -> None:
        """Renews the socket's token when the session does; returns when the connection breaks."""
        assert self._client is not None
        while not self._broken.is_set():
            token = await auth.access_token()
            if token != self._token:
                self._token = token
                await self._client.set_auth(token)
            try:
                async with asyncio.timeout(TOKEN_CHECK_INTERVAL):
                    await self._broken.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Closes the socket and stops what the package left running."""
        client, self._client = self._client, None
        if client is None:
            return
        for channel in client.get_channels():
            channel.subscribe_callback = None
            channel.rejoin_timer.reset()
            channel.join_push.destroy()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await client.close()
        except Exception as error:
            log.debug("the connection to Realtime did not close in order: %r", error)

    async def _either(self, wanted: Any) -> None:
        waits = [asyncio.ensure_future(wanted), asyncio.ensure_future(self._broken.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _on_state(self, state: Any, error: Exception | None) -> None:
        if state != "SUBSCRIBED":
            log.debug("Realtime says %s: %s", state, error)
            self._broken.set()

    def _on_system(self, payload: Any) -> None:
        # joining is answered before the server listens to the database: only this says that it does
        if payload.extension == "postgres_changes":
            self._subscribed.set()
            self._queue.put_nowait(Signal.RESYNC)

    def _on_change(self, payload: Any) -> None:
        data = payload["data"]
        record = None if data.get("errors") else data.get("record")
        self._queue.put_nowait(
            Change(data["type"].value, data["table"], record, data.get("old_record") or {})
        )
