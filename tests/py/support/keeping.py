"""Sessions as they are kept from one process to the next."""

from __future__ import annotations

import threading
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


class Failing(MemoryStorage):
    """Fails from some moment on.

    Attributes:
        fails: whether it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fails = False

    def get_item(self, key: str) -> str | None:
        self._check()
        return super().get_item(key)

    def set_item(self, key: str, value: str) -> None:
        self._check()
        super().set_item(key, value)

    def remove_item(self, key: str) -> None:
        self._check()
        super().remove_item(key)

    def _check(self) -> None:
        if self.fails:
            raise OSError("no disk")


class Gate(MemoryStorage):
    """Lets its first reader wait, once it is closed.

    Attributes:
        reached: whether one waits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self._opened = threading.Event()
        self.open()

    def close(self) -> None:
        """Lets the next reader wait."""
        self._opened.clear()

    def open(self) -> None:
        """Lets readers pass."""
        self._opened.set()

    def get_item(self, key: str) -> str | None:
        if not self._opened.is_set() and not self.reached.is_set():
            self.reached.set()
            self._opened.wait()
        return super().get_item(key)


def stale(source: AsyncVintner | Vintner | Session) -> Session:
    """A session whose access token is to be renewed at once."""
    session = source if isinstance(source, Session) else source.auth.session
    assert session is not None
    return session.model_copy(update={"expires_at": datetime.now(UTC)})
