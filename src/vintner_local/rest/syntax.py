"""What a query string says, as data: fields, select items, filters, logic, and order."""

from __future__ import annotations

from dataclasses import dataclass

EmbedPath = tuple[str, ...]
"""The names of the embeds that lead to what a parameter is about."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or a place inside its JSON: arrows (`->` or `->>`), each with a key or index."""

    name: str
    path: tuple[tuple[str, str | int], ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A select item that is a field, perhaps cast and renamed."""

    field: Field
    cast: str | None = None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """A select item that is a related table: `alias:name!hint!inner(items)`."""

    name: str
    alias: str | None
    hint: str | None
    inner: bool
    spread: bool
    items: tuple[Item, ...]


Item = Column | Embed


@dataclass(frozen=True, slots=True)
class Filter:
    """A comparison of a field with a value from the URL.

    Attributes:
        operator: PostgREST's name of it (`eq`, `in`, `is`, `fts`, …); `embeds` after planning,
            where the field turned out to be an embed.
        value: the text after the operator; a tuple for `in`.
        modifier: what stands in brackets: `any` or `all`, or the language of a text search.
    """

    field: Field
    negated: bool
    operator: str
    value: str | tuple[str, ...]
    modifier: str | None = None


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by `and` or `or`."""

    negated: bool
    operator: str
    terms: tuple[Condition, ...]


Condition = Filter | Logic


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """A field to sort by; `relation` names the to-one embed that it belongs to.

    Attributes:
        direction: `asc` or `desc`, if said.
        nulls: `first` or `last`, if said.
    """

    field: Field
    relation: str | None
    direction: str | None
    nulls: str | None
