"""Sessions as they are kept from one process to the next."""

from __future__ import annotations

from datetime import UTC, datetime

from vintner_client import AsyncVintner, MemoryStorage, Session, Vintner


class Counting(MemoryStorage):
    """Counts how often something is kept.

    Attributes:
        writes: how often.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def set_item(self, key: str, value: str) -> None:
        self.writes += 1
        super().set_item(key, value)


def stale(source: AsyncVintner | Vintner | Session) -> Session:
    """A session whose access token is to be renewed at once."""
    session = source if isinstance(source, Session) else source.auth.session
    assert session is not None
    return session.model_copy(update={"expires_at": datetime.now(UTC)})
