"""The live stores of one client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from vintner_client._live.kinds import Filters, Item, Kind
from vintner_client._live.memory import Memory
from vintner_client._live.store import AsyncStore
from vintner_client._storage import Storage
from vintner_client.errors import InvalidInput

if TYPE_CHECKING:
    from vintner_client._live.subscriptions import Subscription


class Stores:
    """Makes them, and closes them.

    Args:
        url: the project's URL.
        storage: where they remember what they show.
        subscribe: gives a subscription to changes.
    """

    def __init__(self, url: str, storage: Storage, subscribe: Callable[..., Subscription]) -> None:
        self._url = url
        self._storage = storage
        self._subscribe = subscribe
        self._made: WeakSet[AsyncStore[Any, Any]] = WeakSet()

    def make(
        self, kind: Kind[Item, Filters], first: Filters, page_size: int, remember: str | None
    ) -> AsyncStore[Item, Filters]:
        """A store, to be opened.

        Args:
            kind: what it shows.
            first: which items, unless others are remembered.
            page_size: how many items each page brings.
            remember: the name of what is remembered; None for nothing.

        Raises:
            InvalidInput: a page is to bring nothing.
        """
        if page_size < 1:
            raise InvalidInput("A page brings one item at least.")
        name = type(kind).__name__.lower()
        key = None if remember is None else f"{name} {remember} {self._url}"
        memory = Memory(self._storage, key, first)
        store = AsyncStore(kind, self._subscribe, memory, page_size)
        self._made.add(store)
        return store

    async def close(self) -> None:
        """Closes all that are open."""
        for store in list(self._made):
            await store.close()
