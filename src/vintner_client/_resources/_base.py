"""What every resource is built from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from postgrest import AsyncSelectRequestBuilder, CountMethod
from pydantic import BaseModel

from vintner_client._transport import Transport, parse, parse_all
from vintner_client.errors import InvalidInput, NotFound

Row = TypeVar("Row", bound=BaseModel)
Query = Callable[[AsyncSelectRequestBuilder], AsyncSelectRequestBuilder]

PAGE = 1000


class Resource:
    """A group of methods over the shared transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _all(
        self, model: type[Row], table: str, query: Query, *, columns: str = "*"
    ) -> list[Row]:
        """Every row of a query, page by page, whatever the server's limit of rows is.

        Args:
            model: what a row becomes.
            table: the table to read.
            query: adds filters and a total order.
            columns: what to select.
        """
        rows: list[Any] = []
        while True:
            builder = self._transport.table(table).select(columns, count=CountMethod.exact)
            page = await query(builder).range(len(rows), len(rows) + PAGE - 1).execute()
            rows.extend(page.data)
            if not page.data or len(rows) >= (page.count or 0):
                return parse_all(model, rows)

    async def _one(
        self, model: type[Row], table: str, row_id: UUID | str, what: str, *, columns: str = "*"
    ) -> Row:
        """The row of an id.

        Raises:
            NotFound: there is none that the caller may see.
        """
        builder = self._transport.table(table).select(columns).eq("id", str(as_uuid(row_id)))
        found = await builder.limit(1).execute()
        if not found.data:
            raise NotFound(
                f"There is no {what} {row_id}.",
                hint="Check the id, and that your role in its account lets you see it.",
                code="not_found",
                status=404,
            )
        return parse(model, found.data[0])

    async def _insert(self, model: type[Row], table: str, values: dict[str, Any]) -> Row:
        """Inserts one row and gives it back; values that are None take the column's default."""
        given = {name: value for name, value in values.items() if value is not None}
        made = await self._transport.table(table).insert(given).execute()
        return parse(model, made.data[0])


def as_uuid(value: UUID | str) -> UUID:
    """An id that a caller gave.

    Raises:
        InvalidInput: it is not a UUID.
    """
    if isinstance(value, UUID):
        return value
    try:
        return UUID(value)
    except ValueError as error:
        raise InvalidInput(f'"{value}" is not an id.', code="invalid_input") from error
