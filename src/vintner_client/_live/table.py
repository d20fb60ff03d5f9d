"""The rows of one table as a store knows them: which of two states is newer, and what is expected.

Rows come from fetches, from Realtime and from answers to the caller's own calls, each at its own
pace, so a later arrival may well be an older state. `updated_at` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import ValidationError

from vintner_client.errors import InvalidInput
from vintner_client.models import Record


class LiveRow(Protocol):
    """A row that can be told from its older states."""

    @property
    def id(self) -> UUID: ...

    @property
    def created_at(self) -> datetime: ...

    @property
    def updated_at(self) -> datetime: ...


Row = TypeVar("Row", bound=LiveRow)


@dataclass(eq=False)
class _Expected:
    """What a call is expected to make of a row; `met_in` is the last fetch before it succeeded."""

    values: Mapping[str, Any]
    met_in: int | None = None


@dataclass
class _Held(Generic[Row]):
    """A row; `came_in` is the last fetch before it came."""

    row: Row
    came_in: int
    expected: list[_Expected] = field(default_factory=list)


class Table(Generic[Row]):
    """Rows by id."""

    def __init__(self) -> None:
        self._held: dict[UUID, _Held[Row]] = {}
        self._fetch = 0
        self._deleted: set[UUID] | None = None
        """While a fetch goes on: its answer may be from before."""

    def get(self, row_id: UUID) -> Row | None:
        """A row as the server has it, without what is expected."""
        held = self._held.get(row_id)
        return None if held is None else held.row

    def rows(self) -> Iterable[Row]:
        """Every row, as it is expected to be."""
        for held in self._held.values():
            row = held.row
            for expected in held.expected:
                row = changed(row, expected.values)
            yield row

    def put(self, row: Row) -> None:
        """Takes a state of a row, unless a newer one is known. A newer one ends expectations."""
        held = self._held.get(row.id)
        if held is None:
            self._held[row.id] = _Held(row, self._fetch)
        elif row.updated_at >= held.row.updated_at:
            if row.updated_at > held.row.updated_at:
                held.expected.clear()
            held.row = row
            held.came_in = self._fetch

    def remove(self, row_id: UUID) -> None:
        """Forgets a row that is no more."""
        self._held.pop(row_id, None)
        if self._deleted is not None:
            self._deleted.add(row_id)

    def begin_fetch(self) -> None:
        """Is called before the server is asked for everything."""
        self._fetch += 1
        self._deleted = set()

    def end_fetch(self, rows: Iterable[Row]) -> None:
        """Takes the answer: what came before the question and is not in it is gone."""
        answered = {row.id: row for row in rows if row.id not in (self._deleted or ())}
        self._deleted = None
        for row in answered.values():
            self.put(row)
        for held in list(self._held.values()):
            if held.row.id not in answered and held.came_in < self._fetch:
                del self._held[held.row.id]
            # a call that had ended before the question has shown in the answer whatever it did
            held.expected[:] = [each for each in held.expected if not self._is_answered(each)]

    def abandon_fetch(self) -> None:
        """Is called where no answer came."""
        self._deleted = None

    def expect(self, row_id: UUID, values: Mapping[str, Any]) -> Callable[[bool], None]:
        """Shows a row as a call is expected to make it.

        Args:
            row_id: a row that is known.
            values: by field.

        Returns:
            A function that ends it, to be told whether the call succeeded: then the outcome is
            shown until the server says more, else the row as the server has it.

        Raises:
            InvalidInput: a field that the row has not, or a value that does not fit it.
        """
        held = self._held[row_id]
        changed(held.row, values)
        expected = _Expected(values)
        held.expected.append(expected)

        def end(succeeded: bool) -> None:
            if succeeded:
                expected.met_in = self._fetch
            elif expected in held.expected:
                held.expected.remove(expected)

        return end

    def _is_answered(self, expected: _Expected) -> bool:
        return expected.met_in is not None and expected.met_in < self._fetch


def changed(row: Row, values: Mapping[str, Any]) -> Row:
    """A row with other values in some fields.

    Raises:
        InvalidInput: a field that it has not, or a value that does not fit.
    """
    assert isinstance(row, Record)
    kind = type(row)
    unknown = sorted(values.keys() - kind.model_fields.keys())
    if unknown:
        raise InvalidInput(f"A {kind.__name__} has no {', '.join(unknown)}.")
    try:
        return kind.model_validate({**dict(row), **values})
    except ValidationError as error:
        names = ", ".join(sorted({str(each["loc"][0]) for each in error.errors()}))
        raise InvalidInput(f"A value does not fit {kind.__name__}: {names}.") from error
