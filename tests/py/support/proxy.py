"""A TCP proxy in front of the stack that fails in the ways that networks and servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

LIVE = b"/realtime/"
TEXT_OR_BINARY = (1, 2)
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """One connection through the proxy, and what can go wrong with it.

    Attributes:
        is_live: whether it leads to Realtime.
    """

    def __init__(self, proxy: Proxy, is_live: bool, client: Stream, server: Stream) -> None:
        self.is_live = is_live
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._flows = asyncio.Event()
        self._flows.set()
        self._tears = False
        self._is_orphan = False

    def cut(self) -> None:
        """Breaks it off."""
        self._flows.set()
        self._to_client.transport.abort()
        self._to_server.transport.abort()

    def tear(self) -> None:
        """Breaks it off in the middle of what the server says next."""
        self._tears = True

    def stall(self, seconds: float) -> None:
        """Holds back what either side says for a while."""
        self._flows.clear()
        asyncio.get_running_loop().call_later(seconds, self._flows.set)

    def blackhole(self) -> None:
        """Holds back what either side says for ever, and tells nobody."""
        self._flows.clear()

    def half_close(self) -> None:
        """Lets the client read the end of all, while what it says still gets through."""
        with suppress(OSError, RuntimeError):
            self._to_client.write_eof()

    def orphan(self) -> None:
        """Breaks it off for the client alone: the server keeps it, beside the client's next one."""
        self._is_orphan = True
        self._to_client.transport.abort()

    async def run(self) -> None:
        """Passes on what both say, until one of them has said all."""
        up, down = asyncio.create_task(self._up()), asyncio.create_task(self._down())
        try:
            await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
            if self._is_orphan:
                await asyncio.wait([down])
        finally:
            up.cancel()
            down.cancel()
            self._to_client.close()
            self._to_server.close()

    async def _up(self) -> None:
        with suppress(ConnectionError):
            while data := await self._from_client.read(65536):
                await self._flows.wait()
                self._to_server.write(data)
                await self._to_server.drain()

    async def _down(self) -> None:
        twice = Twice() if self.is_live and self._proxy.double_live else None
        with suppress(ConnectionError):
            while data := await self._from_server.read(65536):
                await self._flows.wait()
                if self._is_orphan or (self.is_live and self._proxy.mute_live):
                    continue
                if self._tears:
                    self._to_client.write(data[: len(data) // 2])
                    return
                self._to_client.write(twice(data) if twice else data)
                await self._to_client.drain()


class Twice:
    """Says each message of a websocket's server twice."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_head = True

    def __call__(self, data: bytes) -> bytes:
        """What has become whole by this piece of the stream."""
        self._rest += data
        said = b""
        if self._in_head:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            if not end:
                return b""
            said, self._rest, self._in_head = head + end, rest, False
        while frame := self._frame():
            said += frame * (2 if frame[0] & 0xF in TEXT_OR_BINARY else 1)
        return said

    def _frame(self) -> bytes:
        """Takes the next frame off the stream, if it is whole: RFC 6455, 5.2, without a mask."""
        if len(self._rest) < 2:
            return b""
        extra = {126: 2, 127: 8}.get(self._rest[1], 0)
        length = int.from_bytes(self._rest[2 : 2 + extra]) if extra else self._rest[1]
        end = 2 + extra + length
        if len(self._rest) < end:
            return b""
        frame, self._rest = self._rest[:end], self._rest[end:]
        return frame


class Proxy:
    """Passes connections on, until told otherwise.

    Attributes:
        refuse_live: new connections to Realtime are dropped.
        mute_live: what Realtime sends is swallowed.
        double_live: on new connections, each message of Realtime's comes twice.
        refuse_all: every new connection is dropped.
        live_opened: how many connections to Realtime there have been.
        connections: those that are open.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._server: asyncio.Server | None = None
        self.connections: set[Connection] = set()
        self.refuse_live = False
        self.mute_live = False
        self.double_live = False
        self.refuse_all = False
        self.live_opened = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def live_connections(self) -> int:
        """How many connections to Realtime are open."""
        return sum(connection.is_live for connection in self.connections)

    def cut(self, *, only_live: bool = False) -> None:
        """Breaks the open connections off."""
        for connection in list(self.connections):
            if connection.is_live or not only_live:
                connection.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        is_live = LIVE in head
        server = None
        if not (self.refuse_all or (is_live and self.refuse_live)):
            with suppress(ConnectionError):
                server = await asyncio.open_connection(*self._target)
        # from here on without a pause: what is counted can be cut
        self.live_opened += is_live
        if server is None:
            writer.transport.abort()
            return
        server[1].write(head)
        connection = Connection(self, is_live, (reader, writer), server)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.remove(connection)


@asynccontextmanager
async def proxy_to(target: str) -> AsyncIterator[Proxy]:
    """A proxy to a URL."""
    proxy = Proxy(target)
    proxy._server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    try:
        yield proxy
    finally:
        proxy._server.close()
        proxy.cut()
        await asyncio.sleep(0)
