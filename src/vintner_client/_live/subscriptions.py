"""What one client is subscribed to."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from vintner_client._live.changes import News, Signal, Watch
from vintner_client._live.channel import Channel
from vintner_client._live.connection import Connection, TokenSource
from vintner_client._live.state import LiveState
from vintner_client.errors import ClientClosed, VintnerError

MOST_WAITING = 256
"""News that wait for one subscriber."""

StateCallback = Callable[[LiveState, VintnerError | None], None]

log = logging.getLogger(__name__)


class Subscription:
    """What one subscriber is told. An async context manager.

    No more than 256 news wait for who reads slowly. Then they are dropped for RESYNC, which says to
    ask the server instead.

    Args:
        owner: whose socket it uses.
        watches: which changes are wanted.
        topic: whose broadcasts are wanted too.
    """

    def __init__(self, owner: Subscriptions, watches: tuple[Watch, ...], topic: str | None) -> None:
        self._owner = owner
        self._watches = watches
        self._topic = topic
        self._queue: asyncio.Queue[News] = asyncio.Queue()
        self._channel: Channel | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is heard at this moment, as far as is known."""
        return self._channel is not None and self._channel.state is LiveState.LIVE

    async def __aenter__(self) -> Self:
        self._channel = self._owner.enter(self._topic, self._watches, self._put)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends it; the last one to end closes the socket."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await self._owner.leave(channel, self._put)

    async def next(self, within: float) -> News | None:
        """What comes next; None after `within` seconds without anything."""
        try:
            async with asyncio.timeout(within):
                return await self._queue.get()
        except TimeoutError:
            return None

    def _put(self, news: News) -> None:
        if self._queue.qsize() >= MOST_WAITING:
            while not self._queue.empty():
                self._queue.get_nowait()
            news = Signal.RESYNC
        self._queue.put_nowait(news)


class Subscriptions:
    """The subscriptions of one client, and the socket that they share while there are any.

    Args:
        url: the project's URL.
        key: its API key.
        tokens: whose token the socket speaks with.

    Attributes:
        state: the worst state of any.
        error: why it is not LIVE.
    """

    def __init__(self, url: str, key: str, tokens: TokenSource) -> None:
        self.state = LiveState.CLOSED
        self.error: VintnerError | None = None
        self._state_callbacks: list[StateCallback] = []
        self._url = url
        self._key = key
        self._tokens = tokens
        self._numbers = itertools.count(1)
        self._channels: dict[tuple[str | None, tuple[Watch, ...]], Channel] = {}
        self._connection: Connection | None = None
        self._is_closed = False

    def subscribe(self, *watches: Watch, topic: str | None = None) -> Subscription:
        """A subscription, to be entered.

        Args:
            watches: which changes are wanted; one at least.
            topic: a private channel whose broadcasts are wanted too. Whoever asks for the same one
                has to ask for the same watches.
        """
        return Subscription(self, watches, topic)

    def on_state_change(self, callback: StateCallback) -> Callable[[], None]:
        """See `Live.on_state_change`."""
        self._state_callbacks = [*self._state_callbacks, callback]

        def end() -> None:
            self._state_callbacks = [each for each in self._state_callbacks if each is not callback]

        return end

    async def close(self) -> None:
        """Ends all of them, for good. Who still listens is told to ask, and learns from that."""
        self._is_closed = True
        channels = list(self._channels.values())
        self._channels.clear()
        self._changed()
        await self._disconnect()
        for channel in channels:
            for listener in list(channel.listeners):
                listener(Signal.RESYNC)

    def enter(
        self, topic: str | None, watches: tuple[Watch, ...], listener: Callable[[News], None]
    ) -> Channel:
        """The channel of a subscription, which now tells the listener. For `Subscription`.

        Raises:
            ClientClosed: the client is closed.
        """
        if self._is_closed:
            raise ClientClosed("The client is closed.", hint="Make a new one.")
        if self._connection is None:
            self._connection = Connection(self._url, self._key, self._tokens)
        key = (topic, watches)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(
                lambda: topic or f"vintner:{next(self._numbers)}",
                watches,
                private=topic is not None,
                changed=self._changed,
            )
            self._connection.add(channel)
            self._changed()
        channel.add(listener)
        return channel

    async def leave(self, channel: Channel, listener: Callable[[News], None]) -> None:
        """Tells the listener nothing more. For `Subscription`."""
        channel.listeners.discard(listener)
        if channel.listeners or channel not in self._channels.values():
            return
        self._channels = {k: each for k, each in self._channels.items() if each is not channel}
        self._changed()
        if not self._channels:
            await self._disconnect()
        elif self._connection is not None:
            await self._connection.remove(channel)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _changed(self) -> None:
        """Tells how things are, if that is news."""
        before = (self.state, self.error)
        worst = max(self._channels.values(), key=lambda channel: channel.rank, default=None)
        self.state = LiveState.CLOSED if worst is None else worst.state
        self.error = None if worst is None else worst.error
        if (self.state, self.error) == before:
            return
        if self.state is LiveState.DOWN and before[0] is not LiveState.DOWN:
            log.warning("Realtime is not heard, and goes on being tried: %s", self.error)
        for callback in self._state_callbacks:
            try:
                callback(self.state, self.error)
            except Exception:
                log.exception("a callback for the state of live data failed")
