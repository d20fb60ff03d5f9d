"""Row filters of `postgres_changes`: `column=op.value`, several joined by commas."""

from __future__ import annotations

import re
from dataclasses import dataclass

from psycopg import sql

from vintner_local.realtime.elixir import inspect

_COMPARISONS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_PATTERNS = {"like": "~~", "ilike": "~~*", "match": "~", "imatch": "~*"}
_OPERATORS = {*_COMPARISONS, *_PATTERNS, "in", "is", "isdistinct"}
_IS_KEYWORDS = ("null", "true", "false", "unknown")
MAX_IN_VALUES = 100

Condition = tuple[sql.Composable, list[str]]
"""A boolean SQL expression with placeholders, and their values."""


class FilterError(Exception):
    """A filter that cannot be read; the message is the protocol's."""


class FilterMismatchError(Exception):
    """A filter that does not fit its column; the message is the one the real trigger raises."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One comparison.

    Attributes:
        column: the column's name.
        op: one of the operators of the protocol.
        value: the right side; an array literal for `in`.
        negate: whether `not.` stood before the operator.
    """

    column: str
    op: str
    value: str
    negate: bool

    def inspect(self) -> str:
        """As error texts show it."""
        parts = ", ".join(inspect(part) for part in (self.column, self.op, self.value, self.negate))
        return f"{{{parts}}}"


def parse_filters(text: str) -> tuple[Filter, ...]:
    """Reads a filter string.

    Args:
        text: comparisons joined by commas; commas within quotes or parentheses belong to a value.

    Raises:
        FilterError: the text is no filter.
    """
    return tuple(_parse_one(part) for part in _split(text)) if text else ()


def _split(text: str) -> list[str]:
    parts, start, depth, quoted, escaped = [], 0, 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
        elif not quoted and depth <= 0 and char == ",":
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]


def _parse_one(text: str) -> Filter:
    column, separator, condition = text.partition("=")
    if not separator:
        raise FilterError(f"Error parsing `filter` params: {inspect([text])}")
    negate = condition.startswith("not.")
    op, dot, value = condition.removeprefix("not.").partition(".")
    if not dot:
        raise FilterError(f"Error parsing `filter` params: {inspect([op])}")
    if op not in _OPERATORS:
        raise FilterError(f"Error parsing `filter` params: {inspect([op, value])}")
    if op == "in":
        if not (value.startswith("(") and value.endswith(")")):
            raise FilterError(
                "Error parsing `filter` params: `in` filter value must be wrapped by parentheses"
            )
        return Filter(column, op, f"{{{value[1:-1]}}}", negate)
    return Filter(column, op, _unquote(value), negate)


def _unquote(value: str) -> str:
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def check(test: Filter, type_name: str, pattern_operators: frozenset[str]) -> Condition | None:
    """Whether a filter fits its column, as far as that can be told without its value.

    Args:
        test: the filter.
        type_name: the column's type in SQL.
        pattern_operators: the operators `~~`, `~`, `~*` that the type has.

    Returns:
        An expression that fails in the database if the value does not fit, and is an element count
        for `in`; None where nothing is left to check.

    Raises:
        FilterMismatchError: the filter does not fit.
    """
    if test.op == "is":
        if test.value not in _IS_KEYWORDS:
            raise FilterMismatchError(
                "invalid value for is filter: must be null, true, false, or unknown"
            )
        if test.value != "null" and type_name != "boolean":
            raise FilterMismatchError(
                f"is {test.value} filter requires a boolean column, got {type_name}"
            )
        return None
    if test.op in _PATTERNS:
        needed = {"like": "~~", "ilike": "~~", "match": "~", "imatch": "~*"}[test.op]
        if needed not in pattern_operators:
            raise FilterMismatchError(
                f"operator {test.op} requires a text-compatible column type, got {type_name}"
            )
        return (sql.SQL("'' ~ %s"), [test.value]) if needed != "~~" else None
    if test.op == "in":
        array = sql.SQL("cardinality(%s::{}[])").format(_type(type_name))
        return array, [test.value]
    return sql.SQL("%s::{}").format(_type(type_name)), [test.value]


def condition(test: Filter, column: sql.Composable, type_name: str) -> Condition:
    """The filter as SQL over one row; NULL counts as false.

    Args:
        test: a filter that `check` let pass.
        column: the column in SQL.
        type_name: its type in SQL.
    """
    typed = sql.SQL("%s::{}").format(_type(type_name))
    values = [test.value]
    if test.op == "is":
        body = sql.SQL("{} is {}").format(
            column, sql.SQL(test.value if test.value in _IS_KEYWORDS else "null")
        )
        values = []
    elif test.op == "in":
        body = sql.SQL("{} = any({}[])").format(column, typed)
    elif test.op == "isdistinct":
        body = sql.SQL("{} is distinct from {}").format(column, typed)
    elif test.op in _PATTERNS:
        body = sql.SQL("{} {} %s").format(column, sql.SQL(_PATTERNS[test.op]))
    else:
        body = sql.SQL("{} {} {}").format(column, sql.SQL(_COMPARISONS[test.op]), typed)
    if test.negate:
        body = sql.SQL("not ({})").format(body)
    return sql.SQL("coalesce({}, false)").format(body), values


def _type(name: str) -> sql.Composable:
    return sql.SQL(name.replace("%", "%%"))
