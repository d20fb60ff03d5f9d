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

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_NAME = rf"(?:{_QUOTED}|[\w $]+(?:-(?!>)[\w $]+)*)"
_STEP = rf"(->>?)(-\d+|{_NAME})"
_FIELD = rf"({_NAME})((?:->>?(?:-\d+|{_NAME}))*)"
_AGGREGATE = r"((?<=\bcount)\(\)|\.(?:avg|count|max|min|sum)\(\))?"
_ITEM = (
    rf"(\.\.\.)?(?:({_NAME}):(?!:))?{_FIELD}((?:!{_NAME})*)"
    rf"{_AGGREGATE}(?:::([A-Za-z0-9_ ]+))?{_AGGREGATE}"
)
_ORDER_TERM = rf"(?:({_NAME})\()?{_FIELD}(?(1)\))(?:\.(asc|desc))?(?:\.nulls(first|last))?"
_OPERATOR = (
    r"(?:(in|is|neq|cs|cd|ov|sl|sr|nxr|nxl|adj|isdistinct)"
    r"|(eq|gte|gt|lte|lt|like|ilike|match|imatch)(?:\((any|all)\))?"
    r"|(fts|plfts|phfts|wfts)(?:\(([\w $]+)\))?)(?=[.,)]|$)"
)
_LOGIC = r"\s*(not\.)?(and|or)[ \t]*\("
_SPACE = "[ \t]*"
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

    def match(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern, re.DOTALL).match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found

    def taken(self, pattern: str) -> str:
        """The text that a pattern matches here, or nothing."""
        found = self.match(pattern)
        return found[0] if found else ""

    def named(self, pattern: str) -> re.Match[str]:
        """The match of a pattern that begins with a name."""
        found = self.match(pattern)
        if not found:
            self.fail("field name (* or [a..z0..9_$])")
        return found

    def accept(self, token: str) -> bool:
        accepted = self._text.startswith(token, self._at)
        self._at += len(token) if accepted else 0
        return accepted

    def expect(self, token: str) -> None:
        if not self.accept(token):
            self.fail(f'"{token}"')

    def separated(self, read: Callable[[], T], by: str = ",") -> tuple[T, ...]:
        found: list[T] = []
        while not found or self.accept(by):
            self.match(_SPACE)
            found.append(read())
            self.match(_SPACE)
        return tuple(found)

    def name(self) -> str:
        return _plain(self.named(_NAME)[0])

    def dotted(self) -> tuple[str, ...]:
        return self.separated(self.name, by=".")

    def field(self) -> Field:
        name, path = self.named(_FIELD).groups()
        return _field(name, path)

    def tree_path(self) -> tuple[EmbedPath, Field]:
        *embeds, field = self.separated(self.field, by=".")
        return tuple(embed.name for embed in embeds), field

    def items(self) -> tuple[Item, ...]:
        self.match(_SPACE)
        return () if self.ahead() in ("", ")") else self.separated(self.item)

    def item(self) -> Item:
        if self.accept("*"):
            return Column(Field("*"))
        spread, alias, name, path, hints, before, cast, after = self.named(_ITEM).groups()
        alias = alias and _plain(alias)
        if before or after:
            raise failure("PGRST123")
        if path or cast or not (spread or hints or self.ahead() == "("):
            return Column(_field(name, path), cast and cast.strip(), alias)
        words = [_plain(word) for word in re.findall(_NAME, hints)]
        hint = next((word for word in words if word not in ("inner", "left")), None)
        self.expect("(")
        items = self.items()
        self.expect(")")
        return Embed(_plain(name), alias, hint, "inner" in words, bool(spread), items)

    def order_term(self) -> OrderTerm:
        relation, name, path, direction, nulls = self.named(_ORDER_TERM).groups()
        if self.accept("."):
            expected = '"nullsfirst" or "nullslast"'
            self.fail(expected if direction else f'"asc", "desc", {expected}')
        return OrderTerm(_field(name, path), relation and _plain(relation), direction, nulls)

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

    def rest(self) -> str:
        return self.taken(".*")

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
        quoted = self.taken(rf"{_QUOTED}(?=[,)]|$)")
        return _unquoted(quoted) if quoted else self.taken("[^,)]*")

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
        self.match(_SPACE)
        self.expect(".")
        return self.operation(field, self.logic_value)

    def logic_value(self) -> str:
        return self.taken(r"\{[^{}]*\}") or self.bare_or_quoted()


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _plain(name: str) -> str:
    """A name as it is meant: without quotes, or without the spaces around its parts."""
    if name.startswith('"'):
        return _unquoted(name)
    return "-".join(part.strip() for part in name.split("-"))


def _field(name: str, path: str) -> Field:
    steps = re.findall(_STEP, path, re.DOTALL)
    index = re.compile(r"-?\d{1,9}")
    return Field(
        _plain(name),
        tuple((arrow, int(key) if index.fullmatch(key) else _plain(key)) for arrow, key in steps),
    )
