"""What is subscribed to over Realtime, and what comes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class Watch:
    """Which changes of which table are wanted.

    Attributes:
        event: INSERT, UPDATE, DELETE, or * for all of them.
        table: a published table of `public`.
        filter: in Realtime's form, such as `id=eq.1`; None for every row.
    """

    event: str
    table: str
    filter: str | None = None


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        event: INSERT, UPDATE or DELETE.
        table: where.
        record: the new row, or None where the server could not send it whole. It lacks a long
            value that an UPDATE left as it was.
        key: the primary key of the row before; empty for an INSERT. DELETEs reach everybody.
    """

    event: str
    table: str
    record: dict[str, Any] | None
    key: dict[str, Any]


@dataclass(frozen=True)
class Broadcast:
    """What the database said on a topic.

    Attributes:
        event: its name.
        payload: what it says.
    """

    event: str
    payload: dict[str, Any]


class Signal(Enum):
    """What comes instead of news."""

    RESYNC = "news may have been missed before this moment; none is from here on"
    REFUSED = "Realtime refuses the subscription; it is tried again, but seldom"


News = Change | Broadcast | Signal
