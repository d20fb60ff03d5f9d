"""The grammar of PostgREST's query parameters.

Reference: https://docs.postgrest.org/en/v14/references/api/tables_views.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn, TypeVar

from vintner_local.rest.errors import failure
from vintner_local.rest.syntax import (
    Column,
    Condition,
    Embed,
    EmbedPath,
    Field,
    Filter,
    Item,
    Logic,
    OrderTerm,
)

T = TypeVar("T")

KEPT_SELECTS = 128

_NAME = re.compile(r"[\w $]+(?:-(?!>)[\w $]+)*")
_SPACE = re.compile(r"[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ARROW = re.compile("->>?")
_INDEX = re.compile(r"-?\d{1,9}(?=->|::|[.,)]|$)")
_ALIAS_END = re.compile(":(?!:)")
_CAST = re.compile("::([A-Za-z0-9_ $]+)")
_AGGREGATE = re.compile(r"(?<=\bcount)\(\)|\.(?:avg|count|max|min|sum)\(\)")
_OPERATOR = re.compile(
    r"(?:(in|is|neq|cs|cd|ov|sl|sr|nxr|nxl|adj|isdistinct)"
    r"|(eq|gte|gt|lte|lt|like|ilike|match|imatch)(?:\((any|all)\))?"
    r"|(fts|plfts|phfts|wfts)(?:\(([\w $]+)\))?)(?=[.,)]|$)"
)
_LOGIC = re.compile(r"\s*(not\.)?(and|or)[ \t]*\(")
_DIRECTION = re.compile(r"\.(asc|desc)")
_NULLS = re.compile(r"\.(nullsfirst|nullslast)")
_ARRAY = re.compile(r"\{[^{}]*\}")
_UNTIL_BREAK = re.compile(r"[^,)]*")
_TRUTHS = ("null", "not_null", "true", "false", "unknown")


@lru_cache(KEPT_SELECTS)
def parse_select(text: str) -> tuple[Item, ...]:
    """Reads `select=`; an empty text selects nothing."""
    return _whole(text, "select parameter", _Parser.items)


def parse_names(text: str, parameter: str) -> tuple[str, ...]:
    """Reads a list of column names, as in `columns=` and `on_conflict=`."""
    return _whole(text, f"{parameter} parameter", lambda p: p.separated(p.name))


def parse_order(text: str) -> tuple[OrderTerm, ...]:
    """Reads `order=`."""
    return _whole(text, "order", lambda p: p.separated(p.order_term))


def parse_filter(key: str, value: str) -> tuple[EmbedPath, Filter]:
    """Reads a parameter that is a filter, such as `children.qty=gt.1`."""
    path, field = _whole(key, "tree path", _Parser.tree_path)
    parser = _Parser(value, "filter")
    return path, parser.operation(field, parser.rest)


def parse_logic(key: str, value: str) -> tuple[EmbedPath, Condition]:
    """Reads `and=`, `or=` and their forms with `not.` and an embed path."""
    names = _whole(key, "logic path", _Parser.dotted)
    word = ("not." if "not" in names else "") + names[-1]
    parser = _Parser(word + value, "logic tree", shown=value)
    return tuple(name for name in names[:-1] if name != "not"), parser.logic()


def parse_path(key: str) -> EmbedPath:
    """Reads the embeds that a parameter such as `children.limit` goes through."""
    return _whole(key, "tree path", _Parser.dotted)[:-1]


def _whole(text: str, what: str, read: Callable[[_Parser], T]) -> T:
    parser = _Parser(text, what)
    found = read(parser)
    if parser.ahead():
        parser.fail("end of input")
    return found


class _Parser:
    """A recursive-descent parser over one parameter."""

    def __init__(self, text: str, what: str, shown: str | None = None) -> None:
        self._text = text
        self._at = 0
        self._label = f"failed to parse {what} ({text if shown is None else shown})"

    def fail(self, expecting: str) -> NoReturn:
        found = f'"{self.ahead()}"' if self.ahead() else "end of input"
        message = f'"{self._label}" (line 1, column {self._at + 1})'
        raise failure("PGRST100", message, details=f"unexpected {found} expecting {expecting}")

    def ahead(self) -> str:
        return self._text[self._at : self._at + 1]

    def rest(self) -> str:
        found, self._at = self._text[self._at :], len(self._text)
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def accept(self, token: str) -> bool:
        accepted = self._text.startswith(token, self._at)
        if accepted:
            self._at += len(token)
        return accepted

    def expect(self, token: str) -> None:
        if not self.accept(token):
            self.fail(f'"{token}"')

    def separated(self, read: Callable[[], T]) -> tuple[T, ...]:
        found: list[T] = []
        while not found or self.accept(","):
            self.match(_SPACE)
            found.append(read())
            self.match(_SPACE)
        return tuple(found)

    def quoted(self) -> str | None:
        found = self.match(_QUOTED)
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL) if found else None

    def name(self) -> str:
        quoted = self.quoted()
        if quoted is not None:
            return quoted
        found = self.match(_NAME)
        if not found:
            self.fail("field name (* or [a..z0..9_$])")
        return "-".join(part.strip() for part in found[0].split("-"))

    def dotted(self) -> tuple[str, ...]:
        names = [self.name()]
        while self.accept("."):
            names.append(self.name())
        return tuple(names)

    def tree_path(self) -> tuple[EmbedPath, Field]:
        names = self.dotted()
        return names[:-1], self.field(names[-1])

    def field(self, name: str | None = None) -> Field:
        """A field, the name of which may have been read already."""
        name = self.name() if name is None else name
        path: list[tuple[str, str | int]] = []
        while arrow := self.match(_ARROW):
            index = self.match(_INDEX)
            path.append((arrow[0], int(index[0]) if index else self.name()))
        self.match(_SPACE)
        return Field(name, tuple(path))

    def items(self) -> tuple[Item, ...]:
        self.match(_SPACE)
        return () if self.ahead() in ("", ")") else self.separated(self.item)

    def item(self) -> Item:
        if self.accept("*"):
            return Column(Field("*"))
        spread = self.accept("...")
        name, alias = self.name(), None
        if not spread and self.match(_ALIAS_END):
            name, alias = self.name(), name
        aggregates = self.match(_AGGREGATE)
        if spread or (not aggregates and self.ahead() in ("!", "(")):
            return self.embed(name, alias, spread)
        field = self.field(name)
        aggregates = aggregates or self.match(_AGGREGATE)
        cast = self.match(_CAST)
        if aggregates or self.match(_AGGREGATE):
            raise failure("PGRST123")
        return Column(field, cast[1].strip() if cast else None, alias)

    def embed(self, name: str, alias: str | None, spread: bool) -> Embed:
        words = []
        while self.accept("!"):
            words.append(self.name())
        hints = [word for word in words if word not in ("inner", "left")]
        self.expect("(")
        items = self.items()
        self.expect(")")
        return Embed(name, alias, hints[0] if hints else None, "inner" in words, spread, items)

    def order_term(self) -> OrderTerm:
        field, relation = self.field(), None
        if not field.path and self.accept("("):
            relation, field = field.name, self.field()
            self.expect(")")
        direction, nulls = self.match(_DIRECTION), self.match(_NULLS)
        if self.accept("."):
            expected = '"nullsfirst" or "nullslast"'
            self.fail(expected if direction else f'"asc", "desc", {expected}')
        return OrderTerm(
            field, relation, direction[1] if direction else "", nulls[1] if nulls else ""
        )

    def operation(self, field: Field, value: Callable[[], str]) -> Filter:
        negated = self.accept("not.")
        found = self.match(_OPERATOR)
        if not found or not self.accept("."):
            either = "" if negated or found else '"not" or '
            self.fail(f"{either}operator (eq, gt, ...)")
        plain, quantified, quantifier, search, language = found.groups()
        if plain == "in":
            return Filter(field, negated, plain, self.listed())
        if plain == "is":
            return Filter(field, negated, plain, self.truth())
        modifier = quantifier or (language and language.strip())
        return Filter(field, negated, plain or quantified or search, value(), modifier)

    def listed(self) -> tuple[str, ...]:
        self.match(_SPACE)
        self.expect("(")
        self.match(_SPACE)
        values = [self.bare_or_quoted()]
        while self.accept(","):
            values.append(self.bare_or_quoted())
        self.expect(")")
        return () if values == [""] else tuple(values)

    def bare_or_quoted(self) -> str:
        start = self._at
        quoted = self.quoted()
        if quoted is not None and self.ahead() in ("", ",", ")"):
            return quoted
        self._at = start
        found = self.match(_UNTIL_BREAK)
        return found[0] if found else ""

    def truth(self) -> str:
        text = self._text[self._at :].lower()
        word = next((word for word in _TRUTHS if text.startswith(word)), None)
        if word is None:
            beginnings = (word[:end] for word in _TRUTHS for end in range(len(word)))
            self._at += max(len(begun) for begun in beginnings if text.startswith(begun))
            self.fail(f"isVal: ({', '.join(_TRUTHS)})")
        self._at += len(word)
        return word

    def logic(self) -> Condition:
        opening = self.match(_LOGIC)
        if opening:
            terms = self.separated(self.logic)
            self.expect(")")
            return Logic(bool(opening[1]), opening[2], terms)
        self.match(_SPACE)
        field = self.field()
        self.expect(".")
        return self.operation(field, self.logic_value)

    def logic_value(self) -> str:
        found = self.match(_ARRAY)
        return found[0] if found else self.bare_or_quoted()
