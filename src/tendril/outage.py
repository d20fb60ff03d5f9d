"""Outages of the API: what is one, and waiting until it is over, for as long as that is wanted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tendril.stop import StopRequest
from vintner_client.errors import ConnectionFailed, RateLimited, ServerFailed, VintnerError

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_DELAY = 0.5
LONGEST_DELAY = 10.0
AWAY = (502, 503, 504)
# a server may fail once, as by a deadlock; one that goes on failing does not mend by being asked
MOST_FAULTS = 5


def is_outage(error: VintnerError) -> bool:
    """Whether the API is away: the same call may succeed later without anything being changed."""
    return isinstance(error, ConnectionFailed | RateLimited) or (
        isinstance(error, ServerFailed) and error.status in AWAY
    )


def is_fault(error: VintnerError) -> bool:
    """Whether the API is there and failed (500 and the like): a few repeats may help."""
    return isinstance(error, ServerFailed) and error.status is not None and not is_outage(error)


class Backoff:
    """Delays that double from half a second to ten."""

    def __init__(self) -> None:
        self._delay = FIRST_DELAY

    def next(self) -> float:
        """The seconds to wait before the next attempt."""
        delay = self._delay
        self._delay = min(delay * 2, LONGEST_DELAY)
        return delay

    def reset(self) -> None:
        """Starts over, after a success."""
        self._delay = FIRST_DELAY


class Outages:
    """Whether the API is away, as the parts of one Tendril notice it; said once in the log."""

    def __init__(self) -> None:
        self._api_is_away = False
        self._leaves_at: float | None = None

    def leave_within(self, seconds: float) -> None:
        """Says that no outage is to be waited out for longer than this: the Tendril is leaving."""
        self._leaves_at = asyncio.get_running_loop().time() + seconds

    def note_failure(self, error: VintnerError) -> None:
        """Notes that a call failed by an outage or a fault; raises the error if by neither."""
        if not (is_outage(error) or is_fault(error)):
            raise error
        if not self._api_is_away:
            log.warning("API away, trying on: %s", error)
            self._api_is_away = True

    def note_answer(self) -> None:
        """Notes that a call was answered."""
        if self._api_is_away:
            log.info("API back")
            self._api_is_away = False

    async def outlast(self, call: Callable[[], Awaitable[T]], stop: StopRequest | None = None) -> T:
        """Repeats a call for as long as the API is away, and a few times where it fails.

        Args:
            call: makes the call anew each time; it must be harmless to repeat.
            stop: once this is requested, the call is tried once more at most.

        Raises:
            VintnerError: the API answered with a refusal, or there is no waiting any longer.
        """
        backoff = Backoff()
        faults = 0
        while True:
            last = self._is_leaving() or (stop is not None and stop.reason is not None)
            try:
                answer = await call()
            except VintnerError as error:
                self.note_failure(error)
                faults += is_fault(error)
                if last or faults == MOST_FAULTS:
                    raise
                await _pause(backoff.next(), stop)
            else:
                self.note_answer()
                return answer

    def _is_leaving(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._leaves_at is not None and now >= self._leaves_at


async def _pause(seconds: float, stop: StopRequest | None) -> None:
    """Waits, but not longer than until a stop is requested."""
    if stop is None:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
