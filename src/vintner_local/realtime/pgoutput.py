"""Decoder of `pgoutput`, PostgreSQL's logical replication messages, protocol version 1."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Unchanged(Enum):
    """Marks a TOASTed value that the change left alone and that is not sent."""

    UNCHANGED = "unchanged"


Value = bytes | None | Unchanged
"""A column's text form, NULL, or unchanged."""


@dataclass(frozen=True, slots=True)
class Column:
    """A published column.

    Attributes:
        name: its name.
        type_oid: its type.
        in_identity: whether it belongs to the replica identity.
    """

    name: str
    type_oid: int
    in_identity: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was at the time of the changes that follow.

    Attributes:
        oid: the table's oid.
        schema: its schema.
        table: its name.
        identity: `d`efault, `f`ull, `i`ndex or `n`othing.
        columns: the published columns in table order.
    """

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """The start of a transaction.

    Attributes:
        committed_at: the time of its commit.
        xid: its number, without the epoch.
    """

    committed_at: datetime
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a transaction."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """One changed row.

    Attributes:
        relation: the table.
        kind: INSERT, UPDATE or DELETE.
        new: the row after the change; None for DELETE.
        old: what was sent of the row before it, if anything: the identity columns, or all of them
            where the identity is full.
    """

    relation: Relation
    kind: str
    new: tuple[Value, ...] | None
    old: tuple[Value, ...] | None


Message = Begin | Commit | RowChange


class Decoder:
    """Turns messages into changes; remembers the tables that were described."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}

    def decode(self, data: bytes) -> Message | None:
        """Decodes one message.

        Args:
            data: one message of the stream.

        Returns:
            What it says, or None for messages that carry no change (TRUNCATE is never sent on).
        """
        reader = _Reader(data)
        kind = reader.char()
        if kind == "B":
            reader.skip(8)
            committed_at = _EPOCH + timedelta(microseconds=reader.number("q"))
            return Begin(committed_at, reader.number("I"))
        if kind == "C":
            return Commit()
        if kind == "R":
            relation = reader.relation()
            self._relations[relation.oid] = relation
            return None
        if kind in "IUD":
            return self._change(kind, reader)
        return None

    def _change(self, kind: str, reader: _Reader) -> RowChange:
        relation = self._relations[reader.number("I")]
        old: tuple[Value, ...] | None = None
        new: tuple[Value, ...] | None = None
        part = reader.char()
        if part in "KO":
            old = reader.row()
            part = reader.char() if kind == "U" else ""
        if part == "N":
            new = reader.row()
        name = {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}[kind]
        return RowChange(relation, name, new, old)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def skip(self, size: int) -> bytes:
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]

    def char(self) -> str:
        return self.skip(1).decode()

    def number(self, kind: str) -> int:
        size = struct.calcsize(f"!{kind}")
        value: int = struct.unpack(f"!{kind}", self.skip(size))[0]
        return value

    def text(self) -> str:
        end = self._data.index(0, self._at)
        value = self._data[self._at : end].decode()
        self._at = end + 1
        return value

    def relation(self) -> Relation:
        oid = self.number("I")
        # An empty name stands for pg_catalog.
        schema, table, identity = self.text() or "pg_catalog", self.text(), self.char()
        columns = []
        for _ in range(self.number("H")):
            in_identity = bool(self.number("B") & 1)
            name, type_oid = self.text(), self.number("I")
            self.skip(4)
            columns.append(Column(name, type_oid, in_identity))
        return Relation(oid, schema, table, identity, tuple(columns))

    def row(self) -> tuple[Value, ...]:
        return tuple(self._value() for _ in range(self.number("H")))

    def _value(self) -> Value:
        kind = self.char()
        if kind == "n":
            return None
        if kind == "u":
            return Unchanged.UNCHANGED
        return self.skip(self.number("I"))
