"""Writes selects: columns, embeds, conditions, order and range.

Every name is quoted and every value is a parameter of unknown type, so that PostgreSQL decides
types as it does for literals.
"""

# ruff: noqa: S608 - writing SQL is what this module is for

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from psycopg.sql import Identifier

from vintner_local.rest.plan import EmbedLevel, Level
from vintner_local.rest.syntax import Column, Condition, Field, Filter, OrderTerm

OPERATORS = (
    {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
    | {"like": "LIKE", "ilike": "ILIKE", "match": "~", "imatch": "~*"}
    | {"cs": "@>", "cd": "<@", "ov": "&&", "sl": "<<", "sr": ">>"}
    | {"nxr": "&<", "nxl": "&>", "adj": "-|-", "isdistinct": "IS DISTINCT FROM"}
)
TEXT_SEARCH = {"fts": "to_tsquery", "wfts": "websearch_to_tsquery"} | {
    "plfts": "plainto_tsquery",
    "phfts": "phraseto_tsquery",
}


@lru_cache(maxsize=4096)
def ident(*names: str) -> str:
    """A name, qualified by those before it, quoted."""
    return Identifier(*names).as_string(None)


def listed(names: Iterable[str]) -> str:
    """Names, quoted, with commas between."""
    return ", ".join(ident(name) for name in names)


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

    def read(self, level: Level) -> str:
        """A select of one level's rows, with its embeds as lateral joins."""
        items = [self._item(level, column) for column in level.columns]
        items += [_embedded(embed) for embed in level.embeds if not embed.selects_nothing]
        if not items and isinstance(level, EmbedLevel):
            items = [self._column(level, "*")]
        text = f"SELECT {', '.join(items)} {self._rows(level, level.embeds)}"
        if level.order:
            text += f" ORDER BY {', '.join(self._order(level, term) for term in level.order)}"
        if level.limit is not None:
            text += f" LIMIT {self.param(str(level.limit))}"
        return text + (f" OFFSET {self.param(str(level.offset))}" if level.offset else "")

    def count(self, level: Level) -> str:
        """A select of one row for each that `read` finds without its range."""
        embeds = [embed for embed in level.embeds if embed.item.inner or level.where]
        return f"SELECT 1 {self._rows(level, embeds)}"

    def where(self, level: Level, conditions: Iterable[Condition]) -> str:
        """A WHERE clause of conditions that must all hold, and of what links an embed."""
        tests = [self._condition(level, condition) for condition in conditions]
        if isinstance(level, EmbedLevel):
            tests += self._links(level)
        return f" WHERE {' AND '.join(tests)}" if tests else ""

    def _rows(self, level: Level, embeds: list[EmbedLevel]) -> str:
        source = f"FROM {ident(*level.source)} AS {ident(level.alias)}"
        if isinstance(level, EmbedLevel) and level.relationship.junction:
            source += f" CROSS JOIN {ident(*level.relationship.junction.table)}"
        joins = (self._join(embed) for embed in embeds)
        return f"{source}{''.join(joins)}{self.where(level, level.where)}"

    def _join(self, embed: EmbedLevel) -> str:
        joined = ident(embed.joined)
        rows, match = self.read(embed), "TRUE"
        if not embed.relationship.to_one:
            rows = f"SELECT json_agg({joined})::jsonb AS {joined} FROM ({rows}) AS {joined}"
            if embed.item.inner:
                match = f"{joined}.{joined} IS NOT NULL"
        kind = "INNER" if embed.item.inner else "LEFT"
        return f" {kind} JOIN LATERAL ({rows}) AS {joined} ON {match}"

    def _links(self, level: EmbedLevel) -> list[str]:
        junction = level.relationship.junction
        if junction is None:
            return [
                f"{self._column(level, there)} = {self._column(level.parent, here)}"
                for here, there in level.relationship.columns
            ]
        return [
            f"{self._column(side, column)} = {ident(*junction.table, between)}"
            for side, pairs in ((level.parent, junction.origin), (level, junction.target))
            for column, between in pairs
        ]

    def _column(self, level: Level, name: str) -> str:
        level.named.add(name)
        return f"{ident(level.alias)}.*" if name == "*" else ident(level.alias, name)

    def _item(self, level: Level, column: Column) -> str:
        text, alias = self._field(level, column.field), column.alias
        if column.cast:
            text = f"CAST({text} AS {column.cast})"
        if column.field.path and alias is None:
            keys = [key for _, key in column.field.path if isinstance(key, str)]
            alias = keys[-1] if keys else column.field.name
        return f"{text} AS {ident(alias)}" if alias else text

    def _field(self, level: Level, field: Field, relation: str | None = None) -> str:
        text = ident(relation, field.name) if relation else self._column(level, field.name)
        if field.path and _type(level, field) not in ("json", "jsonb"):
            text = f"to_jsonb({text})"
        for arrow, key in field.path:
            text += f"{arrow}{self.param(str(key))}{'::int' if isinstance(key, int) else ''}"
        return text

    def _order(self, level: Level, term: OrderTerm) -> str:
        direction = f" {term.direction}" if term.direction else ""
        nulls = f" NULLS {term.nulls}" if term.nulls else ""
        return self._field(level, term.field, term.relation) + direction + nulls

    def _condition(self, level: Level, condition: Condition) -> str:
        negation = "NOT " if condition.negated else ""
        if isinstance(condition, Filter):
            return negation + self._comparison(level, condition)
        terms = (self._condition(level, term) for term in condition.terms)
        return f"{negation}({f' {condition.operator.upper()} '.join(terms)})"

    def _comparison(self, level: Level, filter_: Filter) -> str:
        operator, value = filter_.operator, filter_.value
        if operator == "embeds":
            return f"{ident(str(value))} IS NOT DISTINCT FROM NULL"
        field = self._field(level, filter_.field)
        if isinstance(value, tuple):
            return f"{field} = ANY({self.param(array_literal(value))})"
        if operator == "is":
            return f"{field} IS {value.replace('_', ' ')}"
        if operator in TEXT_SEARCH:
            language = f"{self.param(filter_.modifier)}, " if filter_.modifier else ""
            if _type(level, filter_.field) != "tsvector":
                field = f"to_tsvector({language}{field})"
            return f"{field} @@ {TEXT_SEARCH[operator]}({language}{self.param(value)})"
        text = self.param(value.replace("*", "%") if operator in ("like", "ilike") else value)
        if filter_.modifier:
            text = f"{filter_.modifier.upper()}({text})"
        return f"{field} {OPERATORS[operator]} {text}"


def _type(level: Level, field: Field) -> str:
    column = level.table.columns.get(field.name) if level.table else None
    return column.type if column else ""


def _embedded(embed: EmbedLevel) -> str:
    joined, name = ident(embed.joined), ident(embed.name)
    if embed.item.spread:
        return f"{joined}.*"
    if embed.relationship.to_one:
        return f"row_to_json({joined}.*)::jsonb AS {name}"
    return f"coalesce({joined}.{joined}, '[]') AS {name}"
