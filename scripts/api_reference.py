"""Writes docs/api.md, the index of the client library, from its signatures and docstrings.

Run by `make docs-api`; a test compares the page with the library.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import vintner_client
from vintner_client import AsyncVintner, Vintner, errors, models
from vintner_client._async.client import RESOURCES
from vintner_client._async.rows import AsyncRows
from vintner_client._live.store import AsyncStore
from vintner_client._live.sync_store import SyncStore
from vintner_client._sync.rows import SyncRows

TARGET = Path(__file__).parents[1] / "docs" / "api.md"

INTRODUCTION = """\
# The client library, method by method

Written by `make docs-api` from the library and held by a test: do not edit. [client.md](client.md)
shows how it is used; `help(vintner_client.Vintner)` tells arguments, results and errors at length.

These are `Vintner`'s methods. `AsyncVintner` has the same, with `AsyncRows` for `SyncRows` and so
on; they are awaited, but for those that give rows or a generator, which are gone through with
`async for`. A `/` ends what is given by position; after a `*` come names.

Besides the errors that its docstring names, each method that asks the server may raise
`ConnectionFailed`, `ServerFailed`, `RateLimited`, `NotSignedIn`, `WrongKey`, `SchemaMissing` and
`ClientClosed`.
"""


ABOUT = {
    "rows": "\nWhat `list` and the like give: go through it with `for`, or ask.\n",
    "store": "\nWhat `client.live.jobs()` and the like give: open it with `with`.\n",
}


@dataclass(frozen=True)
class Member:
    """A public method, property or class method.

    Attributes:
        owner: how its object is called, such as `client.vines`.
        name: its own name.
        function: what is called, or what the property calls.
        is_property: whether it is read, not called.
    """

    owner: str
    name: str
    function: Any
    is_property: bool

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def signature(self) -> str:
        """How it is called, as people write it."""
        called = inspect.signature(self.function)
        own = [each for each in called.parameters.values() if each.name not in ("self", "cls")]
        names = inspect.unwrap(self.function).__globals__
        shown = called.replace(
            parameters=[each.replace(annotation=_Plain(each.annotation, names)) for each in own],
            return_annotation=_Plain(called.return_annotation, names),
        )
        text = str(shown)
        if self.is_property:
            text = text.replace("() ->", ":")
        return f"{self.owner}.{self.name}{text}"


class _Plain:
    """An annotation as it was written, without its quotes.

    What a list may be ordered by is spelt out.
    """

    def __init__(self, annotation: object, names: dict[str, Any]) -> None:
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        orders = re.compile(r"\b\w*Order\b")
        self._text = orders.sub(
            lambda found: " | ".join(map(repr, get_args(names[found[0]]))), text
        )

    def __repr__(self) -> str:
        return self._text


def members(owner: str, kind: type[Any]) -> Iterator[Member]:
    """What is public of a class and its bases in this library, in the order of the source."""
    found: dict[str, Member] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("vintner_client"):
            continue
        for name, value in vars(base).items():
            if name.startswith("_"):
                continue
            if isinstance(value, property):
                found[name] = Member(owner, name, value.fget, True)
            elif isinstance(value, classmethod | staticmethod):
                found[name] = Member(kind.__name__, name, value.__func__, False)
            elif inspect.isfunction(value):
                found[name] = Member(owner, name, value, False)
    yield from found.values()


def resources(kind: type[Vintner | AsyncVintner]) -> dict[str, type[Any]]:
    """The classes of a client's attributes, by how they are called."""
    client = kind(url="http://127.0.0.1:1", key="none")
    return {f"client.{name}": type(getattr(client, name)) for name in ("auth", "live", *RESOURCES)}


def surface(kind: type[Vintner | AsyncVintner]) -> dict[str, list[Member]]:
    """Every public member of a client, of its attributes and of what they hand out."""
    rows, store = (SyncRows, SyncStore) if kind is Vintner else (AsyncRows, AsyncStore)
    classes = {"client": kind, **resources(kind), "rows": rows, "store": store}
    return {
        owner: [each for each in members(owner, found) if f"{owner}.{each.name}" not in classes]
        for owner, found in classes.items()
    }


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION, "## Classes\n"]
    for name in vintner_client.__all__:
        value = getattr(vintner_client, name)
        if inspect.isclass(value) and not issubclass(value, Exception | Vintner | AsyncVintner):
            lines.append(f"- `{name}`: {_summary(value)}")
    written = {(m.owner, m.name): m.summary for ms in surface(AsyncVintner).values() for m in ms}
    for owner, found in surface(Vintner).items():
        lines.append(f"\n## {owner}\n{ABOUT.get(owner, '')}")
        for member in found:
            summary = member.summary
            if summary.startswith("See `Async"):
                summary = written[member.owner, member.name]
            lines.append(f"- `{member.signature}`  \n  {summary}")
    lines.append("\n## Errors\n\n`vintner_client.errors`, each with what it is a kind of.\n")
    for kind in _classes(errors):
        lines.append(f"- `{kind.__name__}` ({kind.__bases__[0].__name__}): {_summary(kind)}")
    lines.append("\n## Models\n\n`vintner_client.models`, named as in the database.\n")
    for kind in _classes(models):
        values = f" ({', '.join(each.value for each in kind)})" if issubclass(kind, Enum) else ""
        lines.append(f"- `{kind.__name__}`{values}: {_summary(kind)}")
    return "\n".join(lines) + "\n"


def _classes(module: Any) -> list[type[Any]]:
    return [
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and not name.startswith("_")
    ]


def _summary(kind: type[Any]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


if __name__ == "__main__":
    TARGET.write_text(page())
