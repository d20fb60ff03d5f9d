"""The rows of a query, read page by page as they are wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from vintner_client._async.transport import AsyncTransport
from vintner_client._parsing import parse_all
from vintner_client._query import PAGE, Query

Row = TypeVar("Row", bound=BaseModel)


class AsyncRows(Generic[Row]):
    """What `list` gives: iterate over it, or ask for `all` or the `first`.

    Rows that are made or change while it is read may be missed or come as they were, but none comes
    twice because another one went.
    """

    def __init__(self, transport: AsyncTransport, model: type[Row], query: Query) -> None:
        self._transport = transport
        self._model = model
        self._query = query

    async def __aiter__(self) -> AsyncIterator[Row]:
        async for page in self._pages():
            for row in page:
                yield row

    async def all(self) -> list[Row]:
        """Every row."""
        return [row async for page in self._pages() for row in page]

    async def take(self, count: int) -> list[Row]:
        """The first rows, `count` at most and 1,000 at most."""
        params = self._query.params(None, min(count, PAGE))
        return parse_all(self._model, (await self._transport.read(self._query.table, params)).rows)

    async def first(self) -> Row | None:
        """The first row, or None if there is none."""
        found = await self.take(1)
        return found[0] if found else None

    async def _pages(self) -> AsyncIterator[list[Row]]:
        last: dict[str, Any] | None = None
        size = PAGE
        while True:
            params = self._query.params(last, PAGE)
            # counted once: a server that gives fewer than are asked for has more of them
            page = await self._transport.read(self._query.table, params, counted=last is None)
            if page.rows:
                yield parse_all(self._model, page.rows)
            if last is None:
                size = len(page.rows)
            if len(page.rows) < size or not page.rows or page.count == len(page.rows):
                return
            last = page.rows[-1]
