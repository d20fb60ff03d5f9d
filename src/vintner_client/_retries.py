"""When a request is sent once more, and how long to wait before: no network in here.

Only what is safe is repeated: reads, writes that carry an idempotency key, and whatever surely
never reached the server.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from vintner_client.errors import ConnectionFailed, RateLimited, ServerFailed

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header that marks a write as safe to repeat; the key itself is also in the body."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
LONGEST_RETRY_AFTER = 60.0
PATIENCE = 60.0
"""Seconds that a server may be away for who waits for a job or its log."""
READS = ("GET", "HEAD", "OPTIONS")
TRY_AGAIN = (408, 429)
AWAY = (ConnectionFailed, RateLimited, ServerFailed)
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True)
class Retries:
    """How often a request is repeated.

    Attributes:
        most: repetitions after the first try.
    """

    most: int = 2

    def after_answer(self, request: httpx.Request, response: httpx.Response, tried: int) -> bool:
        """Whether a request that was answered so is sent once more.

        Args:
            request: what was sent.
            response: what came.
            tried: how often it was sent.
        """
        again = response.status_code in TRY_AGAIN or response.status_code >= 500
        return again and tried <= self.most and is_safe(request)

    def after_failure(
        self, request: httpx.Request, error: httpx.TransportError, tried: int
    ) -> bool:
        """Whether a request that got no answer is sent once more; see `after_answer`."""
        return tried <= self.most and (isinstance(error, NEVER_SENT) or is_safe(request))


def leaves_unsure(request: httpx.Request, error: httpx.TransportError) -> bool:
    """Whether a request that got no answer may have been done all the same, and that matters."""
    return request.method not in READS and not isinstance(error, NEVER_SENT)


def is_safe(request: httpx.Request) -> bool:
    """Whether sending a request twice does no more than sending it once."""
    return request.method in READS or IDEMPOTENCY_KEY in request.headers


def pause(tried: int, response: httpx.Response | None = None) -> float:
    """Seconds to wait: 0.5 doubling to 8, with jitter, or what the server asks for.

    Args:
        tried: how often the request was sent.
        response: the answer, whose Retry-After is honoured up to a minute.
    """
    asked = _retry_after(response) if response is not None else None
    if asked is not None:
        return asked
    # ten doublings are more than enough, and a float does not hold a thousand
    longest = min(FIRST_PAUSE * 2.0 ** min(tried - 1, 10), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


def _retry_after(response: httpx.Response) -> float | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        seconds = float(value)
    else:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


class Patience:
    """Whether to go on asking a server that is away: for a minute, once it has answered."""

    def __init__(self) -> None:
        self._has_answered = False
        self._away_since: float | None = None

    def answered(self) -> None:
        """Is told of each answer."""
        self._has_answered, self._away_since = True, None

    def is_over(self) -> bool:
        """Whether to give up; is asked after each failure."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
        return not self._has_answered or now - self._away_since > PATIENCE
