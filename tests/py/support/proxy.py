"""A TCP proxy in front of the stack that fails in the ways that networks and servers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

LIVE = b"/realtime/"


class Proxy:
    """Passes connections on, until told otherwise.

    Attributes:
        refuse_live: new connections to Realtime are dropped.
        mute_live: what Realtime sends is swallowed.
        refuse_all: every new connection is dropped.
        live_opened: how many connections to Realtime there have been.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, bool] = {}
        self.refuse_live = False
        self.mute_live = False
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
        return sum(self._open.values())

    def cut(self, *, only_live: bool = False) -> None:
        """Breaks the open connections off."""
        for writer, is_live in list(self._open.items()):
            if is_live or not only_live:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            return
        is_live = LIVE in head
        self.live_opened += is_live
        if self.refuse_all or (is_live and self.refuse_live):
            writer.transport.abort()
            return
        self._open[writer] = is_live
        up: asyncio.StreamWriter | None = None
        try:
            down, up = await asyncio.open_connection(*self._target)
            up.write(head)
            await asyncio.wait(
                [
                    asyncio.create_task(self._pass(reader, up, False)),
                    asyncio.create_task(self._pass(down, writer, is_live)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            del self._open[writer]
            writer.close()
            if up is not None:
                up.close()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_live: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if not (is_live and self.mute_live):
                    writer.write(data)
                    await writer.drain()


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
