# Made by scripts/generate_sync.py from src/vintner_client/_async/rows.py: run `make sync`.
"""The rows of a query, read page by page as they are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from vintner_client._parsing import from_json, parse_rows
from vintner_client._query import PAGE, Query
from vintner_client._sync.transport import SyncTransport

Row = TypeVar("Row", bound=BaseModel)


class SyncRows(Generic[Row]):
    """What `list` gives: iterate over it, or ask for `all` or the `first`.

    Nothing is asked before that. Rows that are made or change while it is read may be missed or
    come as they were, but none comes twice because another one went.
    """

    def __init__(self, transport: SyncTransport, model: type[Row], query: Query) -> None:
        self._transport = transport
        self._model = model
        self._query = query

    def __iter__(self) -> Iterator[Row]:
        for page in self._pages():
            for row in page:
                yield row

    def all(self) -> list[Row]:
        """Every row.

        Raises:
            VintnerError: a page could not be read.
        """
        return [row for page in self._pages() for row in page]

    def take(self, count: int) -> list[Row]:
        """The first rows.

        Args:
            count: how many at most.

        Raises:
            VintnerError: a page could not be read.
        """
        return [row for page in self._pages(count) for row in page]

    def first(self) -> Row | None:
        """The first row, or None if there is none.

        Raises:
            VintnerError: it could not be read.
        """
        found = self.take(1)
        return found[0] if found else None

    def _pages(self, most: int | None = None) -> Iterator[list[Row]]:
        last: dict[str, Any] | None = None
        size = PAGE
        got = 0
        while most is None or got < most:
            limit = PAGE if most is None else min(PAGE, most - got)
            params = self._query.params(last, limit)
            # counted once: a server that gives fewer than are asked for has more of them
            counted = most is None and last is None
            page = self._transport.read(self._query.table, params, counted=counted)
            rows = parse_rows(self._model, page.content)
            if rows:
                yield rows
            if last is None:
                size = len(rows)
            if len(rows) < min(size, limit) or not rows or page.count == len(rows):
                return
            got += len(rows)
            # as the server wrote it: models may lack a column that the order needs
            last = from_json(page.content)[-1]
