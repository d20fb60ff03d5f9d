"""The grammar of PostgREST's query parameters.

Reference: https://docs.postgrest.org/en/v14/references/api/tables_views.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn, TypeVar

from vintner_local.rest.errors import RestError
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
    Step,
)

T = TypeVar("T")

KEPT_SELECTS = 128

_NAME = re.compile(r"[\w $]+(?:-(?!>)[\w $]+)*")
_SPACE = re.compile(r"[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_INDEX = re.compile(r"-?\d{1,9}(?=->|::|[.,)]|$)")
_CAST = re.compile(r"[A-Za-z0-9_ $]+")
_AGGREGATE = re.compile(r"\.(?:avg|count|max|min|sum)\(\)")
_OPERATOR = re.compile(
    r"(?:(eq|gte|gt|lte|lt|like|ilike|match|imatch)(?:\((any|all)\))?"
    r"|(neq|cs|cd|ov|sl|sr|nxr|nxl|adj|isdistinct))(?=\.|$|[,)])"
    r"|(fts|plfts|phfts|wfts)(?:\(([\w $]+)\))?(?=\.)"
)
_LOGIC = re.compile(r"\s*(not\.)?(and|or)[ \t]*\(")
_IS = ("null", "not_null", "true", "false", "unknown")
_DIRECTIONS = ("asc", "desc")
_NULLS = ("nullsfirst", "nullslast")
_ARRAY = re.compile(r"\{[^{}]*\}")
_UNTIL_BREAK = re.compile(r"[^,)]*")


@lru_cache(KEPT_SELECTS)
def parse_select(text: str) -> tuple[Item, ...]:
    """Reads `select=`; an empty text selects nothing."""
    return _whole(text, "select parameter", lambda p: p.items())


def parse_names(text: str, parameter: str) -> tuple[str, ...]:
    """Reads a list of column names, as in `columns=` and `on_conflict=`."""
    return _whole(text, f"{parameter} parameter", lambda p: p.separated(p.name))


def parse_order(text: str) -> tuple[OrderTerm, ...]:
    """Reads `order=`."""
    return _whole(text, "order", lambda p: p.separated(p.order_term))


def parse_filter(key: str, value: str) -> tuple[EmbedPath, Filter]:
    """Reads a parameter that is a filter, such as `children.qty=gt.1`."""
    path, field = _whole(key, "tree path", lambda p: p.tree_path())
    return path, _Parser(value, "filter").operation(field, _Parser.rest)


def parse_logic(key: str, value: str) -> tuple[EmbedPath, Condition]:
    """Reads `and=`, `or=` and their forms with `not.` and an embed path."""
    names = _whole(key, "logic path", lambda p: p.dotted())
    word = ("not." if "not" in names else "") + names[-1]
    parser = _Parser(word + value, "logic tree", shown=value)
    return tuple(name for name in names[:-1] if name != "not"), parser.logic()


def parse_path(key: str) -> EmbedPath:
    """Reads the embeds that a parameter such as `children.limit` goes through."""
    return _whole(key, "tree path", lambda p: p.dotted())[:-1]


def _whole(text: str, what: str, read: Callable[[_Parser], T]) -> T:
    parser = _Parser(text, what)
    found = read(parser)
    parser.at_end()
    return found


class _Parser:
    """A recursive-descent parser over one parameter."""

    def __init__(self, text: str, what: str, shown: str | None = None) -> None:
        self._text = text
        self._at = 0
        self._label = f"failed to parse {what} ({text if shown is None else shown})"

    def fail(self, expecting: str, column: int | None = None) -> NoReturn:
        """Says what stands here, as an error of this column or the given one."""
        found = f'"{self._text[self._at]}"' if self.ahead() else "end of input"
        where = (self._at if column is None else column) + 1
        raise RestError(
            400,
            "PGRST100",
            f'"{self._label}" (line 1, column {where})',
            f"unexpected {found} expecting {expecting}",
        )

    def ahead(self, length: int = 1) -> str:
        return self._text[self._at : self._at + length]

    def at_end(self) -> None:
        if self.ahead():
            self.fail("end of input")

    def rest(self) -> str:
        found, self._at = self._text[self._at :], len(self._text)
        return found

    def accept(self, token: str) -> bool:
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def space(self) -> None:
        self.match(_SPACE)

    def expect(self, token: str) -> None:
        if not self.accept(token):
            self.fail(f'"{token}"')

    def separated(self, read: Callable[[], T]) -> tuple[T, ...]:
        found = []
        while True:
            self.space()
            found.append(read())
            self.space()
            if not self.accept(","):
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
        return names[:-1], Field(names[-1], self.json_path())

    def field(self) -> Field:
        found = Field(self.name(), self.json_path())
        self.space()
        return found

    def json_path(self) -> tuple[Step, ...]:
        steps = []
        while self.accept("->"):
            as_text = self.accept(">")
            index = self.match(_INDEX)
            steps.append(Step(int(index[0]) if index else self.name(), as_text))
        return tuple(steps)

    def items(self) -> tuple[Item, ...]:
        self.space()
        return () if self.ahead() in ("", ")") else self.separated(self.item)

    def item(self) -> Item:
        if self.accept("..."):
            return self.embed(self.name(), None, spread=True)
        if self.accept("*"):
            self.item_end()
            return Column(Field("*"))
        name, alias = self.name(), None
        if self.ahead(2) != "::" and self.accept(":"):
            name, alias = self.name(), name
        if name == "count" and self.accept("()"):
            raise _no_aggregates()
        if self.ahead() in ("!", "("):
            return self.embed(name, alias, spread=False)
        field = Field(name, self.json_path())
        cast = None
        if self.accept("::"):
            found = self.match(_CAST)
            if not found:
                self.fail("letter or digit")
            cast = found[0].strip()
        if self.match(_AGGREGATE):
            raise _no_aggregates()
        self.item_end()
        return Column(field, cast, alias)

    def item_end(self) -> None:
        self.space()
        if self.ahead() not in ("", ",", ")"):
            self.fail('"->>", "->", "::", ")", "," or end of input')

    def embed(self, name: str, alias: str | None, *, spread: bool) -> Embed:
        hint, inner = None, False
        while self.accept("!"):
            word = self.name()
            if word in ("inner", "left"):
                inner = word == "inner"
            else:
                hint = word
        self.expect("(")
        items = self.items()
        self.expect(")")
        return Embed(name, alias, hint, inner, spread, items)

    def order_term(self) -> OrderTerm:
        field, relation = self.field(), None
        if not field.path and self.accept("("):
            relation, field = field.name, self.field()
            self.expect(")")
        direction, nulls = self._suffix(_DIRECTIONS), self._suffix(_NULLS)
        start = self._at + 1
        if self.accept("."):
            words = _NULLS if direction else (*_DIRECTIONS, *_NULLS)
            self._skip_common(words)
            quoted = [f'"{word}"' for word in words]
            self.fail(f"{', '.join(quoted[:-1])} or {quoted[-1]}", start)
        if self.ahead() not in ("", ",", " "):
            self.fail('delimiter (.), "," or end of input')
        return OrderTerm(field, relation, direction, nulls)

    def _suffix(self, words: tuple[str, ...]) -> str:
        return next((word for word in words if self.accept("." + word)), "")

    def _skip_common(self, words: tuple[str, ...]) -> None:
        """Passes as many characters as agree with one of the words."""
        text = self._text[self._at :].lower()
        self._at += max(
            next((i for i in range(len(word)) if text[i : i + 1] != word[i]), len(word))
            for word in words
        )

    def operation(self, field: Field, value: Callable[[_Parser], str]) -> Filter:
        negated = self.accept("not.")
        if self.accept("in."):
            return Filter(field, negated, "in", self._list())
        if self.accept("is."):
            return Filter(field, negated, "is", self._truth())
        found = self.match(_OPERATOR)
        if not found:
            self.fail("operator (eq, gt, ...)" if negated else '"not" or operator (eq, gt, ...)')
        if not self.accept("."):
            self.fail("operator (eq, gt, ...)")
        quantified, quantifier, plain, search, language = found.groups()
        modifier = quantifier or (language and language.strip())
        return Filter(field, negated, quantified or plain or search, value(self), modifier)

    def _list(self) -> tuple[str, ...]:
        self.space()
        self.expect("(")
        values = [self._bare_or_quoted()]
        while self.accept(","):
            values.append(self._bare_or_quoted())
        self.expect(")")
        return () if values == [""] else tuple(values)

    def _bare_or_quoted(self) -> str:
        start = self._at
        quoted = self.quoted()
        if quoted is not None and self.ahead() in ("", ",", ")"):
            return quoted
        self._at = start
        found = self.match(_UNTIL_BREAK)
        return found[0] if found else ""

    def _truth(self) -> str:
        lowered = self._text[self._at :].lower()
        word = next((word for word in _IS if lowered.startswith(word)), None)
        if word is None:
            self._skip_common(_IS)
            self.fail("isVal: (null, not_null, true, false, unknown)")
        self._at += len(word)
        return word

    def logic(self) -> Condition:
        opening = self.match(_LOGIC)
        if opening:
            terms = self.separated(self.logic)
            self.expect(")")
            return Logic(bool(opening[1]), opening[2], terms)
        self.space()
        field = self.field()
        self.expect(".")
        return self.operation(field, _Parser._logic_value)

    def _logic_value(self) -> str:
        found = self.match(_ARRAY)
        return found[0] if found else self._bare_or_quoted()


def _no_aggregates() -> RestError:
    return RestError(400, "PGRST123", "Use of aggregate functions is not allowed")
