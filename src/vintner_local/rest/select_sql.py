"""Writes selects: columns, embeds, conditions, order and range.

Every name is quoted and every value is a parameter of unknown type, so that PostgreSQL decides
types as it does for literals.
"""

# ruff: noqa: S608 - writing SQL is what this module is for

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from psycopg.sql import Identifier

from vintner_local.rest.errors import RestError
from vintner_local.rest.plan import ReadNode
from vintner_local.rest.syntax import (
    Column,
    Condition,
    EmbedIsNull,
    Field,
    Filter,
    Logic,
    OrderTerm,
    Range,
)

OPERATORS = (
    {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    | {"like": "LIKE", "ilike": "ILIKE", "match": "~", "imatch": "~*"}
    | {"cs": "@>", "cd": "<@", "ov": "&&", "sl": "<<", "sr": ">>"}
    | {"nxr": "&<", "nxl": "&>", "adj": "-|-", "isdistinct": "IS DISTINCT FROM"}
)
TEXT_SEARCH = {
    "fts": "to_tsquery",
    "plfts": "plainto_tsquery",
    "phfts": "phraseto_tsquery",
    "wfts": "websearch_to_tsquery",
}
KEYWORDS = (
    {"null": "NULL", "not_null": "NOT NULL"}
    | {"true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"}
    | {"": "", "asc": " ASC", "desc": " DESC"}
    | {"nullsfirst": " NULLS FIRST", "nullslast": " NULLS LAST"}
)


@lru_cache(maxsize=4096)
def ident(*names: str) -> str:
    """A name, qualified by those before it, quoted."""
    return Identifier(*names).as_string(None)


def column_of(qualifier: tuple[str, ...], name: str) -> str:
    """A column of something, or all of them for `*`."""
    return f"{ident(*qualifier)}.*" if name == "*" else ident(*qualifier, name)


def array_literal(values: Iterable[str]) -> str:
    """An array as PostgreSQL reads it from text."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


class SelectWriter:
    """Writes the parts of one statement and collects its parameters."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def param(self, value: str) -> str:
        """A placeholder for a value."""
        self.values.append(value)
        return f"${len(self.values)}"

    def read(self, node: ReadNode) -> str:
        """A select of one level's rows, with its embeds as lateral joins."""
        items = [self._item(node, column) for column in node.columns]
        items += [_embedded(child) for child in node.children if not child.selects_nothing]
        if not items and node.relationship:
            items = [column_of(node.qualifier, "*")]
        joins = [self._join(child) for child in node.children]
        order = ", ".join(self._order(node, term) for term in node.order)
        return (
            f"SELECT {', '.join(items)} {self._from(node)}{''.join(joins)}{self._where(node)}"
            f"{f' ORDER BY {order}' if order else ''}{self._range(node.range)}"
        )

    def count(self, node: ReadNode) -> str:
        """A select of one row for each that `read` finds without its range."""
        joins = [self._join(c) for c in node.children if c.inner or c.tested]
        return f"SELECT 1 {self._from(node)}{''.join(joins)}{self._where(node)}"

    def _from(self, node: ReadNode) -> str:
        source = ident(*node.source) + (f" AS {ident(node.alias)}" if node.alias else "")
        if node.relationship and node.relationship.junction:
            source += f" CROSS JOIN {ident(*node.relationship.junction.table)}"
        return f"FROM {source}"

    def _where(self, node: ReadNode) -> str:
        conditions = [self._condition(node, c, node.qualifier) for c in node.where]
        conditions += _join_conditions(node)
        return where_all(conditions)

    def _join(self, child: ReadNode) -> str:
        joined = ident(child.joined)
        rows, match = self.read(child), "TRUE"
        if child.relationship and not child.relationship.to_one:
            rows = f"SELECT json_agg({joined})::jsonb AS {joined} FROM ({rows}) AS {joined}"
            if child.inner:
                match = f"{joined}.{joined} IS NOT NULL"
        kind = "INNER" if child.inner else "LEFT"
        return f" {kind} JOIN LATERAL ({rows}) AS {joined} ON {match}"

    def _item(self, node: ReadNode, column: Column) -> str:
        text, alias = self._field(node, column.field, node.qualifier), column.alias
        if column.cast:
            text = f"CAST({text} AS {_cast(column.cast)})"
        if column.field.path and alias is None:
            keys = [step.key for step in column.field.path if isinstance(step.key, str)]
            alias = keys[-1] if keys else column.field.name
        return f"{text} AS {ident(alias)}" if alias else text

    def _field(self, node: ReadNode, field: Field, qualifier: tuple[str, ...]) -> str:
        text = column_of(qualifier, field.name)
        if field.path and _type(node, field) not in ("json", "jsonb"):
            text = f"to_jsonb({text})"
        for step in field.path:
            arrow = "->>" if step.as_text else "->"
            cast = "::int" if isinstance(step.key, int) else ""
            text += f"{arrow}{self.param(str(step.key))}{cast}"
        return text

    def _order(self, node: ReadNode, term: OrderTerm) -> str:
        qualifier = (term.relation,) if term.relation else node.qualifier
        field = self._field(node, term.field, qualifier)
        return field + KEYWORDS[term.direction] + KEYWORDS[term.nulls]

    def _range(self, rows: Range) -> str:
        limit = "" if rows.limit is None else f" LIMIT {self.param(str(rows.limit))}"
        return limit + (f" OFFSET {self.param(str(rows.offset))}" if rows.offset else "")

    def _condition(self, node: ReadNode, condition: Condition, qualifier: tuple[str, ...]) -> str:
        negation = "NOT " if condition.negated else ""
        if isinstance(condition, EmbedIsNull):
            test = "IS DISTINCT FROM" if condition.negated else "IS NOT DISTINCT FROM"
            return f"{ident(condition.embed)} {test} NULL"
        if isinstance(condition, Logic):
            terms = (self._condition(node, term, qualifier) for term in condition.terms)
            return f"{negation}({f' {condition.operator.upper()} '.join(terms)})"
        return negation + self._comparison(node, condition, qualifier)

    def _comparison(self, node: ReadNode, filter_: Filter, qualifier: tuple[str, ...]) -> str:
        field = self._field(node, filter_.field, qualifier)
        operator, value = filter_.operator, filter_.value
        if isinstance(value, tuple):
            return f"{field} = ANY({self.param(array_literal(value))})"
        if operator == "is":
            return f"{field} IS {KEYWORDS[value]}"
        if operator in TEXT_SEARCH:
            language = f"{self.param(filter_.modifier)}, " if filter_.modifier else ""
            if _type(node, filter_.field) != "tsvector":
                field = f"to_tsvector({language}{field})"
            return f"{field} @@ {TEXT_SEARCH[operator]}({language}{self.param(value)})"
        if operator in ("like", "ilike"):
            value = value.replace("*", "%")
        text = self.param(value)
        if filter_.modifier:
            text = f"{filter_.modifier.upper()}({text})"
        return f"{field} {OPERATORS[operator]} {text}"


def where_all(conditions: list[str]) -> str:
    """A WHERE clause of conditions that must all hold; empty for none."""
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _join_conditions(node: ReadNode) -> list[str]:
    relationship = node.relationship
    if relationship is None:
        return []
    junction = relationship.junction
    if junction is None:
        return [
            f"{ident(*node.qualifier, there)} = {ident(*node.parent, here)}"
            for here, there in relationship.columns
        ]
    sides = ((node.parent, junction.origin), (node.qualifier, junction.target))
    return [
        f"{ident(*side, column)} = {ident(*junction.table, between)}"
        for side, pairs in sides
        for column, between in pairs
    ]


def _type(node: ReadNode, field: Field) -> str:
    column = node.table.columns.get(field.name) if node.table else None
    return column.type if column else ""


def _cast(name: str) -> str:
    words = name.split(" ")
    if not all(word.isidentifier() and word.isascii() for word in words):
        raise RestError(400, "42601", f'syntax error at or near "{name}"')
    return name


def _embedded(child: ReadNode) -> str:
    joined, name = ident(child.joined), ident(child.name)
    if child.spread:
        return f"{joined}.*"
    if child.relationship and child.relationship.to_one:
        return f"row_to_json({joined}.*)::jsonb AS {name}"
    return f"coalesce({joined}.{joined}, '[]') AS {name}"
