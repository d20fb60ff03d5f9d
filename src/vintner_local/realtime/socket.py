"""One WebSocket connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMsgType, web

from vintner_local.ending import end
from vintner_local.realtime import tokens
from vintner_local.realtime.channel import PREFIX, Channel, JoinError
from vintner_local.realtime.frames import ClientMessage, Frame, Serializer, dumps
from vintner_local.realtime.join import parse_join
from vintner_local.realtime.outbox import Outbox
from vintner_local.realtime.server import RealtimeServer
from vintner_local.realtime.tokens import TokenError

log = logging.getLogger(__name__)

_UNMATCHED = dumps({"reason": "unmatched topic"})
_CLOSE_PATIENCE = 2.0


class Socket:
    """Serves one connection until it ends.

    Args:
        server: what all connections share.
        serializer: the client's wire format.
        apikey: the JWT that the connection was opened with.
        websocket: the prepared WebSocket.
        cut: ends the connection without a word.
    """

    def __init__(
        self,
        server: RealtimeServer,
        serializer: Serializer,
        apikey: str,
        websocket: web.WebSocketResponse,
        cut: Callable[[], None],
    ) -> None:
        self._server = server
        self._serializer = serializer
        self._apikey = apikey
        self._websocket = websocket
        self._cut = cut
        self._outbox = Outbox(server.limits.queued_frames, server.limits.queued_bytes)
        self._channels: dict[str, Channel] = {}

    async def run(self) -> None:
        """Reads and answers until either side closes or the client goes silent or lags behind."""
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(), self._write(), self._outbox.overflowed.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            try:
                # A write that waits for the client must not be cancelled before the close is sent:
                # both wait for the same future of aiohttp's.
                await self._close()
                await end(*tasks)
            finally:
                # Last, since a join may have been under way.
                for channel in self._channels.values():
                    channel.stop()
            for task in tasks:
                error = task.exception() if task.done() and not task.cancelled() else None
                if error is not None and not isinstance(error, ConnectionError):
                    log.error("a connection failed", exc_info=error)

    async def close_for_restart(self) -> None:
        """Ends the connection because the server goes away."""
        await self._websocket.close(code=WSCloseCode.SERVICE_RESTART)

    async def _close(self) -> None:
        code, reason = WSCloseCode.OK, b""
        if self._outbox.overflowed.is_set():
            code, reason = WSCloseCode.TRY_AGAIN_LATER, b"the client reads too slowly"
            log.warning("a client was disconnected because it reads too slowly")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_PATIENCE):
                await self._websocket.close(code=code, message=reason)
        if self._websocket.close_code in (None, WSCloseCode.ABNORMAL_CLOSURE):
            # What is still to be sent would wait for ever for a client that reads nothing.
            asyncio.get_running_loop().call_later(_CLOSE_PATIENCE, self._cut)

    async def _read(self) -> None:
        while True:
            try:
                message = await self._websocket.receive(self._server.limits.idle_seconds)
            except TimeoutError:
                return
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                decoded = self._serializer.decode(message.data)
                if decoded is not None:
                    await self._handle(decoded)
            else:
                return

    async def _write(self) -> None:
        while True:
            frame: Frame = await self._outbox.get()
            with contextlib.suppress(ConnectionError):
                if isinstance(frame, str):
                    await self._websocket.send_str(frame)
                else:
                    await self._websocket.send_bytes(frame)

    async def _handle(self, message: ClientMessage) -> None:
        if message.topic == "phoenix":
            if message.event == "heartbeat":
                self._reply(message, "ok", "{}")
            return
        channel = self._channels.get(message.topic)
        if channel is not None and channel.closed:
            del self._channels[message.topic]
            channel = None
        if message.event == "phx_join" and message.topic.startswith(PREFIX):
            await self._join(message, channel)
        elif message.event == "phx_leave":
            self._reply(message, "ok", "{}")
            if channel is not None:
                self._drop(channel)
                channel.tell_closed()
        elif channel is None:
            self._reply(message, "error", _UNMATCHED)
        else:
            await channel.handle(message)

    async def _join(self, message: ClientMessage, old: Channel | None) -> None:
        if old is not None:
            self._drop(old)
        try:
            channel = await self._new_channel(message)
        except JoinError as error:
            await asyncio.sleep(self._server.waits.join_error)
            self._reply(message, "error", dumps({"reason": str(error)}))
            if old is not None:
                old.tell_closed()
            return
        self._channels[message.topic] = channel
        self._reply(message, "ok", channel.join_response())
        if old is not None:
            old.tell_closed()
        await channel.start()

    async def _new_channel(self, message: ClientMessage) -> Channel:
        topic = message.topic.removeprefix(PREFIX)
        if not topic:
            raise JoinError("TopicNameRequired: You must provide a topic name")
        live = [channel for channel in self._channels.values() if not channel.closed]
        if len(live) >= self._server.limits.channels:
            raise JoinError("ChannelRateLimitReached: Too many channels")
        request = parse_join(topic, message.payload)
        try:
            token = tokens.verify(self._server.keys, request.access_token or self._apikey)
        except TokenError as error:
            raise JoinError(error.at_join) from error
        channel = Channel(
            self._server, self._serializer, self._outbox, message, request.config, token
        )
        await channel.authorize()
        await self._server.started()
        return channel

    def _drop(self, channel: Channel) -> None:
        channel.stop()
        self._channels.pop(channel.phoenix_topic, None)

    def _reply(self, message: ClientMessage, status: str, response: str) -> None:
        self._outbox.put(self._serializer.reply(message, status, response))
