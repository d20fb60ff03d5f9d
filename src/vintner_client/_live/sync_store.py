"""A live store for threads: it lives in the event loop of the client's own thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar
from uuid import UUID

from vintner_client._live.kinds import Filters, Item
from vintner_client._live.store import AsyncStore
from vintner_client._live.thread import LoopThread
from vintner_client.errors import ClientClosed, VintnerError
from vintner_client.models import Record

Params = ParamSpec("Params")
Result = TypeVar("Result")


class SyncStore(Generic[Item, Filters]):
    """Items that stay as the server has them. A context manager, and open while in it.

    Any thread may use it. What takes time waits for the client's own thread, which follows the
    changes and calls the callbacks; so a callback reads, and calls nothing else of a store.

    Args:
        store: what it speaks for.
        thread: where that lives.
    """

    def __init__(self, store: AsyncStore[Item, Filters], thread: LoopThread) -> None:
        self._store = store
        self._thread = thread

    @property
    def items(self) -> tuple[Item, ...]:
        """See `AsyncStore.items`."""
        return self._store.items

    @property
    def filter(self) -> Filters:
        """See `AsyncStore.filter`."""
        return self._store.filter

    @property
    def pages(self) -> int:
        """See `AsyncStore.pages`."""
        return self._store.pages

    @property
    def has_more(self) -> bool:
        """See `AsyncStore.has_more`."""
        return self._store.has_more

    @property
    def error(self) -> VintnerError | None:
        """See `AsyncStore.error`."""
        return self._store.error

    def get(self, item_id: UUID) -> Item | None:
        """See `AsyncStore.get`."""
        return self._store.get(item_id)

    def open(self) -> None:
        """See `AsyncStore.open`."""
        self._thread.run(self._store.open())

    def close(self) -> None:
        """See `AsyncStore.close`."""
        # closing the client has closed it
        with suppress(ClientClosed):
            self._thread.run(self._store.close())

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def refresh(self) -> None:
        """See `AsyncStore.refresh`."""
        self._thread.run(self._store.refresh())

    def more(self) -> None:
        """See `AsyncStore.more`."""
        self._thread.run(self._store.more())

    def show(self, wanted: Filters, /) -> None:
        """See `AsyncStore.show`."""
        self._thread.run(self._store.show(wanted))

    def add_or_update(self, row: Record, /) -> None:
        """See `AsyncStore.add_or_update`."""
        self._there(self._store.add_or_update, row)

    def remove(self, row_id: UUID, /) -> None:
        """See `AsyncStore.remove`."""
        self._there(self._store.remove, row_id)

    @contextmanager
    def optimistic(self, row_id: UUID, /, **values: Any) -> Iterator[None]:
        """See `AsyncStore.optimistic`."""
        end = self._there(self._store._expect, row_id, values)
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            # a client that was closed meanwhile shows nothing any more
            with suppress(ClientClosed):
                self._there(end, succeeded)

    def on_change(self, callback: Callable[[tuple[Item, ...]], object], /) -> Callable[[], None]:
        """See `AsyncStore.on_change`; it is called in the client's own thread."""
        return self._store.on_change(callback)

    def changes(self) -> Generator[tuple[Item, ...], None, None]:
        """See `AsyncStore.changes`."""
        return self._thread.iterate(self._store.changes())

    def _there(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """What a function gives, called where the store lives."""

        async def call() -> Result:
            return function(*args, **kwargs)

        return self._thread.run(call())
