"""Whether what is subscribed to is heard."""

from __future__ import annotations

from enum import StrEnum


class LiveState(StrEnum):
    """Whether live data comes as it happens: `client.live.state`.

    Attributes:
        CLOSED: nothing is subscribed to, and no socket is open.
        LIVE: all that is subscribed to is heard.
        CONNECTING: something is subscribed to that has not been heard yet.
        HEALING: something went wrong, and is being mended.
        DOWN: it went wrong for half a minute or was refused. It is still tried, ever more seldom.
    """

    CLOSED = "closed"
    LIVE = "live"
    CONNECTING = "connecting"
    HEALING = "healing"
    DOWN = "down"
