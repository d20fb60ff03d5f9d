"""One connection to Realtime, until anything goes wrong with it.

The realtime package's own recovery has holes: a channel is closed for good after a bad rejoin or
its token's expiry, five failed tries are followed by silence, heartbeats' answers are not looked
at, and the end of an earlier channel ends a new one of the same topic. So it is switched off, and
the package used for the handshake, for frames and for joining; see `channel.py` for the healing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from realtime import AsyncRealtimeChannel, AsyncRealtimeClient
from realtime.message import ChannelCloseMessage, ChannelErrorMessage, Message, ServerMessage
from realtime.types import (
    ChannelEvents,
    ChannelStates,
    RealtimeChannelOptions,
    RealtimePostgresChangesListenEvent,
)
from websockets.exceptions import InvalidStatus

from vintner_client._live.changes import Broadcast, Change, News, Signal, Watch
from vintner_client.errors import (
    ConnectionFailed,
    NotAllowed,
    NotSignedIn,
    RateLimited,
    SchemaMissing,
    VintnerError,
    WrongKey,
)

JOIN_TIMEOUT = 30.0
HEARTBEAT_TIMEOUT = 15.0
CLOSE_TIMEOUT = 2.0
NEVER = 10**9
"""Seconds between the package's own heartbeats."""

REASONS: tuple[tuple[tuple[str, ...], type[VintnerError]], ...] = (
    (("Unauthorized", "PrivateOnly"), NotAllowed),
    (("Unable to subscribe to changes with given parameters",), SchemaMissing),
    (
        ("InvalidJWTToken", "JwtSignatureError", "MalformedJWT", "Token has expired", ":signature"),
        NotSignedIn,
    ),
    (
        (
            "ChannelRateLimitReached",
            "ClientJoinRateLimitReached",
            "ConnectionRateLimitReached",
            "Too many",
        ),
        RateLimited,
    ),
)
"""How Realtime's reasons begin, and what they mean; any other may pass by itself."""


class Socket:
    """A connection. Whatever is wrong with it ends it for good.

    Args:
        url: the project's URL.
        key: its API key.

    Attributes:
        token: whom it speaks for.
        has_served: whether any channel has stood on it.
    """

    def __init__(self, url: str, key: str) -> None:
        self.token: str | None = None
        self.has_served = False
        self._client = AsyncRealtimeClient(
            f"{url}/realtime/v1", token=key, auto_reconnect=False, max_retries=1, hb_interval=NEVER
        )
        self._heart = _Heart(self._client, "phoenix")
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self, token: str) -> None:
        """Connects.

        Raises:
            WrongKey: the server does not take the API key.
            ConnectionFailed: it could not be reached, or answered something else.
        """
        self.token = self._client.access_token = token
        self._heart.state = ChannelStates.JOINED
        self._heart.subscribe_callback = lambda _, error: _fail(self._lost, _lost(error))
        self._client.channels[self._heart.topic] = self._heart
        try:
            await self._client.connect()
        except InvalidStatus as error:
            status = error.response.status_code
            if status in (401, 403):
                raise WrongKey("Realtime does not accept the API key.", status=status) from error
            raise ConnectionFailed(f"Realtime answers {status}.", status=status) from error
        except Exception as error:
            # websockets, realtime and the event loop raise many kinds
            raise ConnectionFailed(f"Realtime cannot be reached: {_words(error)}.") from error

    async def wait(self, seconds: float) -> None:
        """Waits.

        Raises:
            VintnerError: the connection is lost, or was meanwhile.
        """
        await asyncio.wait([self._lost], timeout=seconds)
        self._check()

    async def beat(self) -> None:
        """Sends a heartbeat and waits for its answer. Servers hang up on who sends none for 60 s.

        Raises:
            ConnectionFailed: it did not come.
        """
        self._heart.answered.clear()
        try:
            async with asyncio.timeout(HEARTBEAT_TIMEOUT):
                await self._send(self._heart, ChannelEvents.heartbeat, {})
                await self._heart.answered.wait()
        except TimeoutError as error:
            raise ConnectionFailed("Realtime does not answer any more.") from error

    async def renew(self, token: str) -> None:
        """Speaks with a newer token from now on."""
        self.token = self._client.access_token = token
        for channel in self._client.get_channels():
            if channel is not self._heart and channel.is_joined:
                await self._send(channel, ChannelEvents.access_token, {"access_token": token})

    def lose(self, error: VintnerError) -> None:
        """Gives the connection up."""
        _fail(self._lost, error)

    @asynccontextmanager
    async def joined(
        self,
        topic: str,
        watches: Sequence[Watch],
        hear: Callable[[News], None],
        *,
        private: bool,
    ) -> AsyncIterator[asyncio.Future[None]]:
        """Joins a channel, and leaves it at the end.

        Args:
            topic: what it is called; no two at the same time may have the same.
            watches: which changes are wanted; one at least.
            hear: is told what comes, and RESYNC each time the server says that it listens to the
                database: it answers the join before it does.
            private: whether the database decides who may listen, and speaks there.

        Returns:
            What raises once the channel ends.

        Raises:
            VintnerError: it was refused, or did not stand in time.
        """
        self._check()
        channel = _Channel(
            self._client,
            f"realtime:{topic}",
            RealtimeChannelOptions(
                config={"private": private, "broadcast": None, "presence": None}
            ),
        )
        stands: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_state(state: Any, error: Exception | None) -> None:
            if state != "SUBSCRIBED":
                for future in (stands, ended):
                    _fail(future, _ended(topic, state, error))

        def on_system(payload: Any) -> None:
            if payload.extension == "postgres_changes":
                self.has_served = True
                hear(Signal.RESYNC)
                if not stands.done():
                    stands.set_result(None)

        for watch in watches:
            channel.on_postgres_changes(
                RealtimePostgresChangesListenEvent(watch.event),
                lambda payload: hear(_change(payload)),
                table=watch.table,
                schema="public",
                filter=watch.filter,
            )
        channel.on_system(on_system)
        channel.on_broadcast("*", lambda said: hear(Broadcast(said["event"], said["payload"])))
        self._client.channels[channel.topic] = channel
        try:
            async with asyncio.timeout(JOIN_TIMEOUT):
                await channel.subscribe(on_state)
                await stands
            yield ended
        except TimeoutError as error:
            raise ConnectionFailed(f"Realtime does not answer on {topic}.") from error
        finally:
            await self._leave(channel)

    async def close(self) -> None:
        """Closes the connection and stops what the package left running."""
        for channel in self._client.get_channels():
            _silence(channel)
        self._client.channels.clear()
        websocket = self._client._ws_connection
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._client.close()
        except Exception:
            # nobody is there to say goodbye to
            if websocket is not None:
                websocket.transport.abort()
            await self._client.close()

    def _check(self) -> None:
        if self._lost.done():
            self._lost.result()

    async def _leave(self, channel: _Channel) -> None:
        _silence(channel)
        if self._client.channels.get(channel.topic) is channel:
            del self._client.channels[channel.topic]
        if not self._lost.done():
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self._send(channel, ChannelEvents.leave, {})
            except TimeoutError:
                self.lose(ConnectionFailed("Realtime takes nothing any more."))

    async def _send(
        self, channel: AsyncRealtimeChannel, event: ChannelEvents, payload: dict[str, Any]
    ) -> None:
        # not channel.push, which waits ten seconds for an answer that some events never have
        await self._client.send(
            Message(
                topic=channel.topic,
                event=event,
                payload=payload,
                ref=self._client._make_ref(),
                join_ref=channel.join_push.ref,
            )
        )


class _Heart(AsyncRealtimeChannel):
    """No channel: where the answers to heartbeats come, and the connection's end is told."""

    def __init__(self, socket: AsyncRealtimeClient, topic: str) -> None:
        super().__init__(socket, topic)
        self.answered = asyncio.Event()

    def _handle_message(self, message: ServerMessage) -> None:
        self.answered.set()


class _Channel(AsyncRealtimeChannel):
    """A channel that does not end because an earlier one of its topic did."""

    def _handle_message(self, message: ServerMessage) -> None:
        # the server says in `ref` which join it is that ended
        is_end = isinstance(message, ChannelCloseMessage | ChannelErrorMessage)
        if not (is_end and message.ref not in (None, self.join_push.ref)):
            super()._handle_message(message)


def _silence(channel: AsyncRealtimeChannel) -> None:
    channel.subscribe_callback = None
    channel.rejoin_timer.reset()
    channel.join_push.destroy()


def _fail(future: asyncio.Future[None], error: VintnerError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # whoever waits is told; nobody has to


def _change(payload: Any) -> Change:
    data = payload["data"]
    record = None if data.get("errors") else data.get("record")
    return Change(data["type"].value, data["table"], record, data.get("old_record") or {})


def _lost(error: Exception | None) -> VintnerError:
    return ConnectionFailed(f"The connection to Realtime broke: {_words(error)}.")


def _ended(topic: str, state: Any, error: Exception | None) -> VintnerError:
    """What the end of a channel, or a refusal, means."""
    try:
        told = json.loads(str(error))
        reason = str(told.get("reason") or told.get("message") or state.value)
    except (ValueError, AttributeError):
        reason = state.value if error is None else _words(error)
    for beginnings, kind in REASONS:
        if reason.startswith(beginnings):
            return kind(f"Realtime refuses {topic}: {reason}")
    return ConnectionFailed(f"Realtime ended {topic}: {reason}")


def _words(error: Exception | None) -> str:
    return str(error) or type(error).__name__
