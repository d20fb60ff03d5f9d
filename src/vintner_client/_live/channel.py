"""A channel that heals itself, and those who listen to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vintner_client._live.changes import News, Signal, Watch
from vintner_client._live.state import LiveState
from vintner_client._retries import pause
from vintner_client.errors import (
    ConnectionFailed,
    NotAllowed,
    NotSignedIn,
    SchemaMissing,
    VintnerError,
    WrongKey,
)

if TYPE_CHECKING:
    from vintner_client._live.socket import Socket

REFUSALS = (NotAllowed, SchemaMissing)
HOPELESS = (*REFUSALS, WrongKey)
PATIENCE = 30.0
"""Seconds of failing after which it is DOWN."""
STEADY = 10.0
"""Seconds after which what stood is tried again without delay."""
REFUSED_PAUSE = 60.0
"""Seconds until what was refused is tried again."""


class Channel:
    """What equal subscriptions share: one channel of the server, joined again whenever it ends.

    Args:
        topic: gives the name for each join.
        watches: which changes are wanted.
        private: whether the database decides who may listen, and speaks there.
        changed: is called whenever the state has changed.

    Attributes:
        listeners: are told what comes.
        state: whether it is heard.
        error: why it is not, once something went wrong.
    """

    def __init__(
        self,
        topic: Callable[[], str],
        watches: Sequence[Watch],
        *,
        private: bool,
        changed: Callable[[], None],
    ) -> None:
        self.listeners: set[Callable[[News], None]] = set()
        self.state = LiveState.CONNECTING
        self.error: VintnerError | None = None
        self._topic = topic
        self._watches = watches
        self._private = private
        self._changed = changed
        self._failing_since: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def rank(self) -> int:
        """How bad the state is."""
        return list(LiveState).index(self.state)

    def add(self, listener: Callable[[News], None]) -> None:
        """Tells one more what comes, and first how things are."""
        self.listeners.add(listener)
        if isinstance(self.error, REFUSALS):
            listener(Signal.REFUSED)
        elif self.state is LiveState.LIVE:
            listener(Signal.RESYNC)

    def begin(self, socket: Socket) -> None:
        """Joins on a socket, again and again, until `end`."""
        self._task = asyncio.create_task(self._stay(socket), name="vintner-channel")

    async def end(self) -> None:
        """Leaves the channel."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def fail(self, error: VintnerError) -> None:
        """Notes that it is not heard now."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        is_down = isinstance(error, HOPELESS) or now - self._failing_since >= PATIENCE
        self.error = error
        self.state = LiveState.DOWN if is_down else LiveState.HEALING
        self._changed()

    async def _stay(self, socket: Socket) -> None:
        failures = 0
        while True:
            stood_at: float | None = None
            try:
                async with socket.joined(
                    self._topic(), self._watches, self._hear, private=self._private
                ) as ended:
                    stood_at = time.monotonic()
                    await ended
            except NotSignedIn as error:
                # the token is the socket's: with another one, all channels go on
                socket.lose(error)
                return
            except REFUSALS as error:
                self._tell(Signal.REFUSED)
                self.fail(error)
                await asyncio.sleep(REFUSED_PAUSE)
            except Exception as error:
                is_steady = stood_at is not None and time.monotonic() - stood_at > STEADY
                failures = 1 if is_steady else failures + 1
                self.fail(as_known(error))
                await asyncio.sleep(pause(failures))

    def _hear(self, news: News) -> None:
        if news is Signal.RESYNC:
            self._failing_since = None
            self.error = None
            self.state = LiveState.LIVE
            self._changed()
        self._tell(news)

    def _tell(self, news: News) -> None:
        for listener in list(self.listeners):
            listener(news)


def as_known(error: Exception) -> VintnerError:
    """Whatever went wrong with Realtime, as an error of this library."""
    if isinstance(error, VintnerError):
        return error
    return ConnectionFailed(f"Realtime failed: {error!r}")
