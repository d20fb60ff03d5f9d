"""The schema cache: tables, functions and relationships of the exposed schemas, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Name = tuple[str, str]
"""A schema and a name in it."""

Pairs = tuple[tuple[str, str], ...]
"""A column of the one side and the column of the other that equals it, for each of a key."""


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column or a function's parameter.

    Attributes:
        name: empty for a parameter that has none.
        type: as SQL writes it.
        default: a column's default expression.
        required: whether a parameter has no default.
    """

    name: str
    type: str
    default: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; what a view takes for a key is not known."""

    name: Name
    is_view: bool
    columns: dict[str, Column]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One overload of a function.

    Attributes:
        takes_row: whether it is a field or relationship of the rows of a table.
        result: `void`, a `scalar` or a `row` of named columns.
        returns_set: whether it returns any number of them.
        table: the table whose row type it returns, if it does.
        statement_timeout: the function's own limit, which holds for the whole request.
    """

    name: Name
    parameters: tuple[Column, ...]
    variadic: bool
    takes_row: bool
    result: Literal["void", "scalar", "row"]
    returns_set: bool
    table: Name | None
    volatile: bool
    statement_timeout: str | None


@dataclass(frozen=True, slots=True)
class Junction:
    """The table between the two sides of a many-to-many relationship."""

    table: Name
    in_view: bool
    origin: Pairs
    target: Pairs


@dataclass(frozen=True, slots=True)
class Relationship:
    """How rows of one table find rows of another in the same schema, by the foreign key `name`."""

    origin: Name
    target: Name
    kind: Literal["many-to-one", "one-to-many", "one-to-one", "many-to-many"]
    name: str
    columns: Pairs
    junction: Junction | None

    @property
    def to_one(self) -> bool:
        return self.kind.endswith("to-one")


@dataclass(frozen=True, slots=True)
class Schema:
    """What requests are planned against.

    Attributes:
        tables: by schema and name.
        functions: all overloads, by schema and name.
        role_settings: settings that a role brings along, by role.
    """

    tables: dict[str, dict[str, Table]]
    functions: dict[str, dict[str, tuple[Function, ...]]]
    relationships: tuple[Relationship, ...]
    role_settings: dict[str, dict[str, str]]

    def table(self, name: Name | None) -> Table | None:
        """The table of a name, if it is exposed."""
        return self.tables.get(name[0], {}).get(name[1]) if name else None
