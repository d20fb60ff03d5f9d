# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/base.py: run `make sync`.
"""What every resource is built from."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from vintner_client._parsing import as_uuid, parse
from vintner_client._query import Query, equals
from vintner_client._sync.rows import SyncRows
from vintner_client._sync.transport import SyncTransport
from vintner_client.errors import NotAllowed, NotFound

Row = TypeVar("Row", bound=BaseModel)


class SyncResource:
    """A group of methods over the shared transport."""

    def __init__(self, transport: SyncTransport) -> None:
        self._transport = transport

    def _rows(self, model: type[Row], query: Query) -> SyncRows[Row]:
        return SyncRows(self._transport, model, query)

    def _one(
        self, model: type[Row], table: str, row_id: UUID | str, what: str, columns: str = "*"
    ) -> Row:
        """The row of an id.

        Raises:
            NotFound: there is none that the caller may see.
        """
        found = self._rows(model, Query(table, equals(id=as_uuid(row_id)), columns=columns)).first()
        if found is None:
            raise NotFound(
                f"There is no {what} {row_id}.",
                hint="Check the id, and that your role in its account lets you see it.",
                code="not_found",
                status=404,
            )
        return found

    def _insert(self, model: type[Row], table: str, values: dict[str, Any]) -> Row:
        """Inserts one row and gives it back; values that are None take the column's default."""
        given = {name: value for name, value in values.items() if value is not None}
        return parse(model, _only(self._transport.insert(table, given)))

    def _update(
        self, model: type[Row], table: str, row_id: UUID | str, what: str, values: dict[str, Any]
    ) -> Row:
        """Changes the row of an id and gives it back; nothing to change changes nothing.

        Raises:
            NotFound: there is none that the caller may see.
            NotAllowed: the caller may see it, not change it.
        """
        before = self._one(model, table, row_id, what)
        if not values:
            return before
        changed = self._transport.update(table, str(as_uuid(row_id)), values)
        if not changed:
            raise _forbidden(f"change this {what}")
        return parse(model, _only(changed))

    def _delete(self, model: type[BaseModel], table: str, row_id: UUID | str, what: str) -> None:
        """Deletes the row of an id.

        Raises:
            NotFound: there is none that the caller may see.
            NotAllowed: the caller may see it, not delete it.
        """
        self._one(model, table, row_id, what)
        if not self._transport.delete(table, str(as_uuid(row_id))):
            raise _forbidden(f"delete this {what}")


def _only(rows: Any) -> Any:
    """The row of an answer that holds one; anything else is left for the parser to refuse."""
    return rows[0] if isinstance(rows, list) and rows else rows


def _forbidden(doing: str) -> NotAllowed:
    return NotAllowed(
        f"Your role in this account may not {doing}.",
        hint="Ask an owner or admin of the account.",
        code="not_allowed",
        status=403,
    )
