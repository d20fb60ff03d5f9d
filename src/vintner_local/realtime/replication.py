"""The stream of committed changes, from a temporary logical replication slot.

The slot dies with its connection, so what is committed while the stream is down is lost, as it is
on the real server; nothing is ever sent twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import struct
import time
from collections.abc import AsyncGenerator

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from vintner_local.realtime.pgoutput import Decoder, Message

log = logging.getLogger(__name__)

PUBLICATIONS = ("supabase_realtime", "supabase_realtime_messages_publication")
_STATUS_INTERVAL = 10.0
_LOOK_INTERVAL = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TO_2000 = 946_684_800
# Text forms must not depend on settings of the server, database or role.
_OUTPUT_SETTINGS = (
    "-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c bytea_output=hex"
    " -c extra_float_digits=1"
)


class ReplicationStream:
    """An endless stream of changes that reconnects by itself.

    Args:
        dsn: connects as a role that may replicate.

    Attributes:
        has_streamed: whether the stream was ever up.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._streaming = asyncio.Event()
        self.has_streamed = False

    async def wait_until_streaming(self, seconds: float) -> bool:
        """Waits for the slot to be there, for a time at most; says whether it is."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._streaming.wait(), seconds)
        return self._streaming.is_set()

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Yields changes in commit order until the task is cancelled."""
        pause = _FIRST_PAUSE
        while True:
            try:
                async with _Slot(self._dsn) as slot:
                    self._streaming.set()
                    self.has_streamed = True
                    pause = _FIRST_PAUSE
                    async for message in slot.messages():
                        yield message
            except (psycopg.Error, OSError) as error:
                log.warning("replication lost, next try in %.1f s: %s", pause, str(error).strip())
            finally:
                self._streaming.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


class _Slot:
    """One replication connection with its slot."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._received = 0

    async def __aenter__(self) -> _Slot:
        self._connection = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, replication="database", options=_OUTPUT_SETTINGS
        )
        self._pgconn: PGconn = self._connection.pgconn
        try:
            await self._start()
        except BaseException:
            await self._connection.close()
            raise
        self._status_task = asyncio.create_task(self._send_status_regularly())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._status_task.cancel()
        with contextlib.suppress(asyncio.CancelledError, psycopg.Error):
            await self._status_task
        await self._connection.close()

    async def _start(self) -> None:
        name = f"vintner_realtime_{secrets.token_hex(6)}"
        await self._command(
            f"CREATE_REPLICATION_SLOT {name} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'nothing')",
            ExecStatus.TUPLES_OK,
        )
        await self._command(
            f"START_REPLICATION SLOT {name} LOGICAL 0/0"
            f" (proto_version '1', publication_names '{','.join(PUBLICATIONS)}')",
            ExecStatus.COPY_BOTH,
        )

    async def _command(self, command: str, expected: ExecStatus) -> None:
        """Runs a replication command; psycopg itself knows no COPY in both directions."""
        self._pgconn.send_query(command.encode())
        self._pgconn.flush()
        while True:
            while self._pgconn.is_busy():
                await _readable(self._pgconn.socket)
                self._pgconn.consume_input()
            result = self._pgconn.get_result()
            if result is None:
                return
            if result.status != expected:
                raise psycopg.OperationalError(result.get_error_message())
            if expected == ExecStatus.COPY_BOTH:
                return

    async def messages(self) -> AsyncGenerator[Message, None]:
        decoder = Decoder()
        while True:
            size, data = self._pgconn.get_copy_data(1)
            if size == 0:
                await _readable(self._pgconn.socket)
                self._pgconn.consume_input()
            elif size < 0:
                raise psycopg.OperationalError("the server ended the stream")
            elif bytes(data[:1]) == b"k":
                self._keepalive(bytes(data))
            else:
                self._received = max(self._received, struct.unpack("!q", data[1:9])[0])
                message = decoder.decode(bytes(data[25:]))
                if message is not None:
                    yield message

    def _keepalive(self, data: bytes) -> None:
        end, _, answer = struct.unpack("!xqqB", data)
        self._received = max(self._received, end)
        if answer:
            self._send_status()

    async def _send_status_regularly(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_INTERVAL)
            self._send_status()

    def _send_status(self) -> None:
        at = self._received
        clock = int((time.time() - _TO_2000) * 1_000_000)
        self._pgconn.put_copy_data(struct.pack("!cqqqqB", b"r", at, at, at, clock, 0))
        self._pgconn.flush()


async def _readable(socket: int) -> None:
    """Waits until there is something to read, or for a moment at most.

    The event loop forgets a socket when libpq closes it while sending, or when another connection
    that had the same number is done with it; looking again finds out either.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(socket, ready.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_INTERVAL):
                await ready.wait()
    finally:
        loop.remove_reader(socket)
