"""What a store shows, as it is remembered from one session to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic

from pydantic import PositiveInt, TypeAdapter, ValidationError

from vintner_client._live.kinds import Filters
from vintner_client._storage import Storage
from vintner_client.errors import InvalidInput


@dataclass(frozen=True)
class View(Generic[Filters]):
    """What a store shows.

    Attributes:
        filter: which items.
        pages: how many pages of them.
    """

    filter: Filters
    pages: PositiveInt = 1


class Memory(Generic[Filters]):
    """Where a store's view is kept.

    Args:
        storage: the place.
        key: of the text in it; None to remember nothing.
        first: what is shown where nothing is remembered.
    """

    def __init__(self, storage: Storage, key: str | None, first: Filters) -> None:
        self._storage = storage
        self._key = key
        self._first = View(first)
        generic: Any = View
        self._type: TypeAdapter[View[Filters]] = TypeAdapter(generic[type(first)])

    def load(self) -> View[Filters]:
        """What is remembered; what cannot be read counts as nothing."""
        text = None if self._key is None else self._storage.get_item(self._key)
        try:
            return self._first if text is None else self._type.validate_json(text)
        except (ValidationError, InvalidInput):
            return self._first

    def keep(self, view: View[Filters]) -> None:
        """Remembers it."""
        if self._key is not None:
            self._storage.set_item(self._key, self._type.dump_json(view).decode())
