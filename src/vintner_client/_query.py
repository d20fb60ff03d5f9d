"""A query of one table and its pages, by key: what is read next follows the last row that was read.

The forms are PostgREST 14's (docs.postgrest.org, Tables and Views, Horizontal Filtering).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PAGE = 1000
"""Rows asked for at once; a server may give fewer."""


@dataclass(frozen=True)
class Query:
    """Which rows of a table, and in which order.

    Attributes:
        table: of the schema `public`.
        filters: pairs of a column and PostgREST's operator with its value, such as `eq.1`.
        order: columns, with a minus before those that descend. None may hold null, and together
            they tell any two rows apart: the last is the key.
        columns: what to select, as PostgREST writes it.
    """

    table: str
    filters: tuple[tuple[str, str], ...] = ()
    order: tuple[str, ...] = ("id",)
    columns: str = "*"

    def params(self, after: Mapping[str, Any] | None, limit: int) -> list[tuple[str, str]]:
        """The parameters of a page.

        Args:
            after: the last row of the page before; None for the first.
            limit: rows at most.
        """
        params = [("select", self.columns), *self.filters]
        if after is not None:
            params.append(("or", f"({','.join(self._beyond(after))})"))
        ordered = ",".join(f"{_column(each)}.{_direction(each)}" for each in self.order)
        return [*params, ("order", ordered), ("limit", str(limit))]

    def _beyond(self, row: Mapping[str, Any]) -> Iterable[str]:
        """What holds for the rows behind a row: of its equals in some columns, those beyond it."""
        equal: list[str] = []
        for each in self.order:
            column, value = _column(each), quoted(row[_column(each)])
            beyond = f"{column}.{'lt' if each.startswith('-') else 'gt'}.{value}"
            yield f"and({','.join([*equal, beyond])})" if equal else beyond
            equal.append(f"{column}.eq.{value}")


def _column(ordered: str) -> str:
    return ordered.removeprefix("-")


def _direction(ordered: str) -> str:
    return "desc" if ordered.startswith("-") else "asc"


def quoted(value: object) -> str:
    """A value where PostgREST reads a list or a tree: in quotes, whatever it holds."""
    text = value if isinstance(value, str) else json.dumps(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def equals(**values: object) -> tuple[tuple[str, str], ...]:
    """Filters by equality: with one of several where a value is a list; None is no filter."""
    return tuple(_equal(column, value) for column, value in values.items() if value is not None)


def _equal(column: str, value: object) -> tuple[str, str]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return column, f"in.({','.join(quoted(str(each)) for each in value)})"
    return column, f"eq.{value}"
