"""What one client is subscribed to, over one socket that heals itself."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Protocol, Self
from uuid import UUID

from vintner_client._live.changes import News, Signal, Watch
from vintner_client._live.channel import REFUSED_PAUSE, Channel, as_known
from vintner_client._live.state import LiveState
from vintner_client._retries import pause
from vintner_client.errors import (
    ClientClosed,
    ConnectionFailed,
    NotSignedIn,
    VintnerError,
    WrongKey,
)

if TYPE_CHECKING:
    from vintner_client._live.socket import Socket
    from vintner_client._session import Session

HEARTBEAT_INTERVAL = 20.0
"""Seconds; with the patience for its answer, a dead connection is seen after 35 at most."""
SHORTEST_INTERVAL = 1.0
SLEPT = 30.0
"""Seconds that a pause may be too long before the machine is thought to have been asleep."""
MOST_WAITING = 256
"""News that wait for one subscriber."""

StateListener = Callable[[LiveState, VintnerError | None], None]

log = logging.getLogger(__name__)


class TokenSource(Protocol):
    """Who is asking, for the socket."""

    @property
    def session(self) -> Session | None: ...

    async def access_token(self, fresh: bool = False) -> str | None: ...


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
        self._state_listeners: list[StateListener] = []
        self._url = url
        self._key = key
        self._tokens = tokens
        self._numbers = itertools.count(1)
        self._channels: dict[tuple[str | None, tuple[Watch, ...]], Channel] = {}
        self._socket: Socket | None = None
        self._user_id: UUID | None = None
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._refusals = 0
        self._is_closed = False

    def subscribe(self, *watches: Watch, topic: str | None = None) -> Subscription:
        """A subscription, to be entered.

        Args:
            watches: which changes are wanted; one at least.
            topic: a private channel whose broadcasts are wanted too. Whoever asks for the same one
                has to ask for the same watches.
        """
        return Subscription(self, watches, topic)

    def on_state_change(self, listener: StateListener) -> Callable[[], None]:
        """See `Live.on_state_change`."""
        self._state_listeners = [*self._state_listeners, listener]

        def end() -> None:
            self._state_listeners = [each for each in self._state_listeners if each != listener]

        return end

    async def close(self) -> None:
        """Ends all of them, for good. Who still listens is told to ask, and learns from that."""
        self._is_closed = True
        channels = list(self._channels.values())
        self._channels.clear()
        await asyncio.gather(*(channel.end() for channel in channels))
        await self._stop()
        self._changed()
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
        if self._socket is not None and not self._is_same_user():
            self._socket.lose(_other_user())
        key = (topic, watches)
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = Channel(
                lambda: topic or f"vintner:{next(self._numbers)}",
                watches,
                private=topic is not None,
                changed=self._changed,
            )
            if self._socket is not None:
                channel.begin(self._socket)
            elif self._task is None:
                self._task = asyncio.create_task(self._run(), name="vintner-live")
            self._changed()
        channel.add(listener)
        return channel

    async def leave(self, channel: Channel, listener: Callable[[News], None]) -> None:
        """Tells the listener nothing more. For `Subscription`."""
        channel.listeners.discard(listener)
        if channel.listeners or channel not in self._channels.values():
            return
        self._channels = {k: each for k, each in self._channels.items() if each is not channel}
        await channel.end()
        if not self._channels:
            await self._stop()
        self._changed()

    async def _stop(self) -> None:
        task, self._task, self._socket = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        """Keeps a socket open, a new one whenever one breaks."""
        # realtime takes long to import
        from vintner_client._live.socket import Socket

        while True:
            socket = Socket(self._url, self._key)
            try:
                token = await self._token(fresh=self._refusals > 0)
                session = self._tokens.session
                self._user_id = None if session is None else session.user_id
                await socket.open(token)
                self._socket = socket
                for channel in self._channels.values():
                    channel.begin(socket)
                await self._keep(socket)
            except Exception as failure:
                await self._lose(socket, as_known(failure))
            finally:
                await socket.close()
            await asyncio.sleep(self._pause())

    async def _lose(self, socket: Socket, error: VintnerError) -> None:
        socket.lose(error)
        is_refusal = self._socket is socket and isinstance(error, NotSignedIn)
        self._refusals += is_refusal
        self._failures += 1
        self._socket = None
        channels = list(self._channels.values())
        await asyncio.gather(*(channel.end() for channel in channels))
        for channel in channels:
            channel.fail(error)

    def _pause(self) -> float:
        """Seconds until the next try: a token is renewed once, and then as good as refused."""
        is_refused = self._refusals > 1 or isinstance(self.error, WrongKey)
        return REFUSED_PAUSE if is_refused else pause(self._failures)

    async def _keep(self, socket: Socket) -> NoReturn:
        """Keeps a socket alive, and its token valid.

        Raises:
            VintnerError: it is lost.
        """
        while True:
            wait = self._until_renewal()
            before = time.time()
            await socket.wait(wait)
            # what a socket missed meanwhile, it does not know; the clock goes on in sleep
            if abs(time.time() - before - wait) > SLEPT:
                raise ConnectionFailed("This process was asleep.")
            try:
                token = await self._token(fresh=False)
            except NotSignedIn:
                raise
            except VintnerError as error:
                log.debug("the socket's token is not renewed yet: %s", error)
            else:
                if not self._is_same_user():
                    raise _other_user()
                if token != socket.token:
                    await socket.renew(token)
            await socket.beat()

    def _until_renewal(self) -> float:
        session = self._tokens.session
        if session is None:
            return SHORTEST_INTERVAL
        left = (session.stale_at - datetime.now(UTC)).total_seconds()
        return min(max(left, SHORTEST_INTERVAL), HEARTBEAT_INTERVAL)

    async def _token(self, *, fresh: bool) -> str:
        token = await self._tokens.access_token(fresh)
        if token is None:
            raise NotSignedIn("Live data needs a signed-in user.", hint="Sign in.")
        return token

    def _is_same_user(self) -> bool:
        session = self._tokens.session
        return session is not None and session.user_id == self._user_id

    def _changed(self) -> None:
        """Tells how things are, if that is news."""
        before = (self.state, self.error)
        worst = max(self._channels.values(), key=lambda channel: channel.rank, default=None)
        self.state = LiveState.CLOSED if worst is None else worst.state
        self.error = None if worst is None else worst.error
        if any(channel.state is LiveState.LIVE for channel in self._channels.values()):
            self._failures = self._refusals = 0
        if (self.state, self.error) == before:
            return
        if self.state is LiveState.DOWN and before[0] is not LiveState.DOWN:
            log.warning("Realtime is not heard, and goes on being tried: %s", self.error)
        for listener in self._state_listeners:
            try:
                listener(self.state, self.error)
            except Exception:
                log.exception("a listener to the state of live data failed")


def _other_user() -> VintnerError:
    return ConnectionFailed("The socket speaks for a user who has signed out.")
