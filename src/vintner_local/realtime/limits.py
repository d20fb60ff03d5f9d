"""Times and sizes of the server; the waits that the real server makes are kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a connection.

    Attributes:
        idle_seconds: a client that sends nothing for so long is disconnected.
        frame_bytes: the largest frame a client may send.
        channels: joined channels a connection may have.
        queued_frames: frames that may wait for a slow client.
        queued_bytes: bytes that may wait for a slow client.
        message_days: how long rows of `realtime.messages` are kept.
        join_patience: seconds that a join waits for the stream of changes; less than clients do.
        confirm_patience: seconds that a subscription's confirmation waits for it: making a slot
            waits for every transaction of the cluster.
    """

    idle_seconds: float = 60.0
    frame_bytes: int = 5_000_000
    channels: int = 100
    queued_frames: int = 20_000
    queued_bytes: int = 32 * 2**20
    message_days: int = 3
    join_patience: float = 8.0
    confirm_patience: float = 30.0


@dataclass(frozen=True, slots=True)
class Waits:
    """Pauses in seconds; pairs are the ends of a random range.

    Attributes:
        connect_error: before a handshake is refused.
        join_error: before a join is refused.
        first_subscribe: before the first subscription is confirmed.
        resubscribe: between a new token and its subscription.
        retry_subscribe: between tries while the database is away.
        publication_check: between looks at the publication.
        poll: between polls for changes; None to deliver them as they come.
    """

    connect_error: float
    join_error: float
    first_subscribe: tuple[float, float]
    resubscribe: tuple[float, float]
    retry_subscribe: tuple[float, float]
    publication_check: float
    poll: float | None


NO_WAITS = Waits(
    connect_error=0.0,
    join_error=0.0,
    first_subscribe=(0.0, 0.0),
    resubscribe=(0.0, 0.0),
    retry_subscribe=(0.5, 1.0),
    publication_check=1.0,
    poll=None,
)
REAL_WAITS = Waits(
    connect_error=2.0,
    join_error=5.0,
    first_subscribe=(1.3, 2.0),
    resubscribe=(1.0, 3.0),
    retry_subscribe=(5.0, 10.0),
    publication_check=60.0,
    poll=0.5,
)


def waits_of(delay: Literal["0", "real"]) -> Waits:
    """The pauses of a `realtime_delay` setting."""
    return NO_WAITS if delay == "0" else REAL_WAITS
