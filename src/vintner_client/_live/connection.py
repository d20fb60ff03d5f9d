"""The socket that all subscriptions of a client share: a new one whenever it breaks."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn, Protocol

from vintner_client._live.channel import REFUSED_PAUSE, Channel, as_known
from vintner_client._live.cleanup import to_the_end
from vintner_client._retries import pause
from vintner_client.errors import ConnectionFailed, NotSignedIn, VintnerError, WrongKey

if TYPE_CHECKING:
    from vintner_client._live.socket import Socket
    from vintner_client._session import Session

HEARTBEAT_INTERVAL = 20.0
"""Seconds; with the patience for its answer, a dead connection is seen after 35 at most."""
SHORTEST_INTERVAL = 1.0
SLEPT = 30.0
"""Seconds that a pause may be too long before the machine is thought to have been asleep."""

log = logging.getLogger(__name__)


class TokenSource(Protocol):
    """Who is asking, for the socket."""

    @property
    def session(self) -> Session | None: ...

    async def access_token(self, *, fresh: bool = False) -> str | None: ...


class Connection:
    """Keeps a socket open, with some channels on it, until it is closed.

    Args:
        url: the project's URL.
        key: its API key.
        tokens: whose token the socket speaks with.
    """

    def __init__(self, url: str, key: str, tokens: TokenSource) -> None:
        self._url = url
        self._key = key
        self._tokens = tokens
        self._channels: list[Channel] = []
        self._socket: Socket | None = None
        self._session: Session | None = None
        self._failures = 0
        self._refusals = 0
        self._task = asyncio.create_task(self._run(), name="vintner-live")

    def add(self, channel: Channel) -> None:
        """Has a channel joined, on this socket and those that follow."""
        self._channels.append(channel)
        if self._socket is None:
            return
        if self._is_same_user():
            channel.begin(self._socket)
        else:
            # it would be the one before who is told
            self._socket.lose(_other_user())

    async def remove(self, channel: Channel) -> None:
        """Leaves a channel."""
        self._channels.remove(channel)
        await channel.end()

    async def close(self) -> None:
        """Leaves all channels and closes the socket."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        # realtime takes long to import
        from vintner_client._live.socket import Socket

        while True:
            socket = Socket(self._url, self._key)
            try:
                token = await self._token(fresh=self._refusals > 0)
                self._session = self._tokens.session
                await socket.open(token)
                self._socket = socket
                for channel in self._channels:
                    channel.begin(socket)
                await self._keep(socket)
            except Exception as failure:
                wait = self._lose(socket, as_known(failure))
            finally:
                await to_the_end(self._put_away(socket))
            await asyncio.sleep(wait)

    async def _put_away(self, socket: Socket) -> None:
        await asyncio.gather(*(channel.end() for channel in self._channels))
        await socket.close()

    def _lose(self, socket: Socket, error: VintnerError) -> float:
        """Gives a socket up; gives the seconds until the next try."""
        socket.lose(error)
        if socket.has_served:
            self._failures = self._refusals = 0
        self._failures += 1
        # a token that an open socket's server refuses is renewed once; one that ended before the
        # server saw it was not refused
        has_ended = self._session is not None and self._session.has_ended()
        is_refused = isinstance(error, NotSignedIn) and not has_ended
        self._refusals += self._socket is socket and is_refused
        self._socket = None
        for channel in self._channels:
            channel.fail(error)
        is_hopeless = self._refusals > 1 or isinstance(error, WrongKey)
        return REFUSED_PAUSE if is_hopeless else pause(self._failures)

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
                    self._session = self._tokens.session
                    await socket.renew(token)
            await socket.beat()

    def _until_renewal(self) -> float:
        session = self._tokens.session
        if session is None:
            return SHORTEST_INTERVAL
        left = (session.stale_at - datetime.now(UTC)).total_seconds()
        return min(max(left, SHORTEST_INTERVAL), HEARTBEAT_INTERVAL)

    async def _token(self, *, fresh: bool) -> str:
        token = await self._tokens.access_token(fresh=fresh)
        if token is None:
            raise NotSignedIn("Live data needs a signed-in user.", hint="Sign in.")
        return token

    def _is_same_user(self) -> bool:
        now, then = self._tokens.session, self._session
        return now is not None and then is not None and now.user_id == then.user_id


def _other_user() -> VintnerError:
    return ConnectionFailed("The socket speaks for a user who has signed out.")
