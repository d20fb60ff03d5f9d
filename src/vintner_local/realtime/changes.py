"""From a changed row to the `postgres_changes` events of the channels that may hear of it.

PostgreSQL does the work: it renders the values, compares filters by type, and judges row-level
security as each subscriber's role with that subscriber's claims.

One difference from the real server is deliberate: a policy that raises for one subscriber hides the
row from that subscriber alone; there it loses the whole batch for everybody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

import psycopg
from psycopg import sql

from vintner_local.realtime import filters
from vintner_local.realtime.catalog import TableFacts, read_facts
from vintner_local.realtime.filters import Filter
from vintner_local.realtime.frames import dumps
from vintner_local.realtime.pgoutput import RowChange, Unchanged
from vintner_local.realtime.subscriptions import Audience, Subscription

log = logging.getLogger(__name__)

MAX_CHANGE_BYTES = 1_048_576
_PER_COLUMN_BYTES = 36
_SMALL_VALUE_BYTES = 64
_NO_KEY = "Error 400: Bad Request, no primary key"
_UNAUTHORIZED = "Error 401: Unauthorized"
_TOO_LARGE = "Error 413: Payload Too Large"


class Listener(Protocol):
    """A channel with subscriptions to changes."""

    @property
    def audience(self) -> Audience:
        """Whose eyes the subscriptions see with."""

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """In request order."""


AnyListener = TypeVar("AnyListener", bound=Listener)


@dataclass(frozen=True, slots=True)
class Event(Generic[AnyListener]):
    """One event for one channel: its payload as JSON text."""

    listener: AnyListener
    payload: str


@dataclass(frozen=True, slots=True)
class _View:
    """What one group of subscriptions is shown of a change: the same columns or the same error."""

    columns: tuple[str, ...]
    error: str | None = None


@dataclass(slots=True)
class _Row:
    """Known values of one version of a row, by column, in text form."""

    values: dict[str, str | None] = field(default_factory=dict)


class ChangeJudge:
    """Decides who hears what of the changes of one transaction.

    Args:
        connection: a superuser's, in autocommit mode.
        committed_at: when the transaction committed.
    """

    def __init__(self, connection: psycopg.AsyncConnection, committed_at: datetime) -> None:
        self._connection = connection
        self._committed_at = committed_at
        self._facts: dict[tuple[int, frozenset[str]], TableFacts | None] = {}

    async def events(
        self, change: RowChange, listeners: Iterable[AnyListener]
    ) -> list[Event[AnyListener]]:
        """The events of one change.

        Args:
            change: the changed row.
            listeners: every channel with subscriptions.

        Raises:
            psycopg.Error: PostgreSQL could not judge the change.
        """
        oid = change.relation.oid
        interested = [
            (listener, item)
            for listener in listeners
            for item in listener.subscriptions
            if oid in item.relations and item.selection.wants(change.kind)
        ]
        if not interested:
            return []
        facts = await self._facts_for(change, frozenset(x.audience.role for x, _ in interested))
        if facts is None:
            return []
        judged = _Judged(change, facts, interested)
        await judged.evaluate(self._connection)
        return judged.events(self._committed_at)

    async def _facts_for(self, change: RowChange, roles: frozenset[str]) -> TableFacts | None:
        key = (change.relation.oid, roles)
        if key not in self._facts:
            self._facts[key] = await read_facts(self._connection, change.relation, roles)
        return self._facts[key]


class _Judged(Generic[AnyListener]):
    """One change on its way to its events."""

    def __init__(
        self,
        change: RowChange,
        facts: TableFacts,
        interested: list[tuple[AnyListener, Subscription]],
    ) -> None:
        self._change = change
        self._facts = facts
        self._interested = interested
        self._new, self._old = _rows(change)
        self._too_large = _size(change, facts) > MAX_CHANGE_BYTES
        self._views = [self._view(listener, item) for listener, item in interested]
        self._records: dict[_View, tuple[str, str]] = {}
        self._hears = [True] * len(interested)

    def _view(self, listener: Listener, item: Subscription) -> _View:
        selectable = self._facts.selectable.get(listener.audience.role, frozenset())
        key = self._facts.key
        if self._change.kind != "DELETE" and not key:
            return _View((), _NO_KEY)
        if self._change.kind != "DELETE" and not selectable.issuperset(key):
            return _View((), _UNAUTHORIZED)
        wanted = item.selection.select
        return _View(
            tuple(
                column.name
                for column in self._change.relation.columns
                if column.name in selectable
                and (wanted is None or column.name in wanted or column.name in key)
            ),
            _TOO_LARGE if self._too_large else None,
        )

    async def evaluate(self, connection: psycopg.AsyncConnection) -> None:
        """Renders the rows, applies the filters, then row-level security."""
        views = list(dict.fromkeys(view for view in self._views if view.columns))
        tests = list(dict.fromkeys(item.selection.filters for _, item in self._interested))
        query, values = self._query(views, tests)
        row = await (await connection.execute(query, values)).fetchone()
        if row is None:
            raise psycopg.DataError("the change could not be rendered")
        rendered, held = row[: 2 * len(views)], row[2 * len(views) :]
        for index, view in enumerate(views):
            self._records[view] = (rendered[2 * index], rendered[2 * index + 1])
        matches = dict(zip(tests, held, strict=True))
        for index, (_, item) in enumerate(self._interested):
            failed = self._views[index].error in (_NO_KEY, _UNAUTHORIZED)
            self._hears[index] = failed or matches[item.selection.filters]
        if self._facts.row_security and self._change.kind != "DELETE":
            await self._apply_row_security(connection)

    def _query(
        self, views: list[_View], tests: list[tuple[Filter, ...]]
    ) -> tuple[sql.Composed, list[object]]:
        values: list[object] = []
        outputs: list[sql.Composable] = []
        for view in views:
            for row, names in (("n", view.columns), ("o", self._old_columns(view))):
                known = list((self._new if row == "n" else self._old).values)
                small = _SMALL if view.error == _TOO_LARGE else sql.SQL("")
                outputs.append(_RECORD.format(row=sql.Identifier("x", row), small=small))
                values += [known, list(names)]
        judged = self._old if self._change.kind == "DELETE" else self._new
        for group in tests:
            body, more = self._condition(group, judged)
            outputs.append(body)
            values += more
        rows: list[sql.Composable] = []
        for known_row in (self._new, self._old):
            rows.append(self._rendered(known_row))
            values += known_row.values.values()
        query = sql.SQL("select {} from (select {}::jsonb[] as n, {}::jsonb[] as o) as x").format(
            sql.SQL(", ").join(outputs), *rows
        )
        return query, values

    def _old_columns(self, view: _View) -> tuple[str, ...]:
        key_only = self._change.kind == "DELETE" and self._facts.row_security
        return tuple(c for c in view.columns if not key_only or c in self._facts.key)

    def _rendered(self, row: _Row) -> sql.Composable:
        elements = []
        for name in row.values:
            typed = sql.SQL("%s::{}").format(self._facts.cast(name))
            if self._facts.types[name].name == "bytea":
                typed = sql.SQL("pg_catalog.encode({}, 'hex')").format(typed)
            elements.append(sql.SQL("to_jsonb({})").format(typed))
        return sql.SQL("array[{}]").format(sql.SQL(", ").join(elements))

    def _condition(
        self, group: tuple[Filter, ...], row: _Row
    ) -> tuple[sql.Composable, list[str | None]]:
        bodies: list[sql.Composable] = [sql.SQL("true")]
        values: list[str | None] = []
        for test in group:
            if test.column not in row.values:
                bodies.append(sql.SQL("false"))
                continue
            column = sql.SQL("%s::{}").format(self._facts.cast(test.column))
            body, more = filters.condition(test, column, self._facts.types[test.column].sql_name)
            bodies.append(body)
            values += [row.values[test.column], *more]
        return sql.SQL("({})").format(sql.SQL(" and ").join(bodies)), values

    async def _apply_row_security(self, connection: psycopg.AsyncConnection) -> None:
        asked = [
            index
            for index, hears in enumerate(self._hears)
            if hears and self._views[index].error in (None, _TOO_LARGE)
        ]
        audiences = list(dict.fromkeys(self._interested[index][0].audience for index in asked))
        if not audiences:
            return
        key = [self._new.values.get(name) for name in self._facts.key]
        found = await connection.execute(
            "select visible, problem from _realtime.visible_to(%s, %s, %s, %s)",
            (
                self._facts.visibility_query(),
                key,
                [audience.role for audience in audiences],
                [audience.claims for audience in audiences],
            ),
        )
        seen = dict(zip(audiences, await found.fetchall(), strict=True))
        for audience, (_, problem) in seen.items():
            if problem:
                table = f"{self._change.relation.schema}.{self._change.relation.table}"
                log.warning("a policy on %s fails for role %s: %s", table, audience.role, problem)
        for index in asked:
            self._hears[index] = seen[self._interested[index][0].audience][0]

    def events(self, committed_at: datetime) -> list[Event[AnyListener]]:
        """One event for each channel and view, naming the matching items in reverse order."""
        ids: dict[tuple[int, _View], list[int]] = {}
        listeners: dict[int, AnyListener] = {}
        for index, (listener, item) in enumerate(self._interested):
            if self._hears[index]:
                listeners[id(listener)] = listener
                group = ids.setdefault((id(listener), self._views[index]), [])
                group.insert(0, item.selection.item_id)
        data = {view: self._data(view, committed_at) for _, view in ids}
        return [
            Event(listeners[number], f'{{"data":{data[view]},"ids":{dumps(items)}}}')
            for (number, view), items in ids.items()
        ]

    def _data(self, view: _View, committed_at: datetime) -> str:
        record, old_record = self._records.get(view, ("{}", "{}"))
        failed = view.error in (_NO_KEY, _UNAUTHORIZED)
        types = self._facts.types
        columns = ", ".join(
            f'{{"name": {dumps(name)}, "type": {dumps(types[name].name)}}}' for name in view.columns
        )
        parts = [
            f'"columns":[{columns}]',
            f'"commit_timestamp":{"null" if failed else dumps(_iso(committed_at))}',
            f'"errors":{dumps([view.error] if view.error else None)}',
        ]
        if self._change.kind != "INSERT":
            parts.append(f'"old_record":{old_record}')
        if self._change.kind != "DELETE":
            parts.append(f'"record":{record}')
        parts += [
            f'"schema":{dumps(self._change.relation.schema)}',
            f'"table":{dumps(self._change.relation.table)}',
            f'"type":{dumps(self._change.kind)}',
        ]
        return f"{{{','.join(parts)}}}"


_RECORD = sql.SQL(
    "(select coalesce(jsonb_object_agg(k, v), '{{}}')::text"
    " from unnest(%s::text[], {row}) as t(k, v) where k = any(%s::text[]){small})"
)
_SMALL = sql.SQL(
    f" and octet_length(v::text) <= {_SMALL_VALUE_BYTES} and jsonb_typeof(v) <> 'null'"
)


def _rows(change: RowChange) -> tuple[_Row, _Row]:
    """The known values of the new and the old row.

    With a full identity an unchanged TOASTed value is taken from the old row; without, it stays
    unknown. Where the old key was not sent, it did not change.
    """
    new, old = _Row(), _Row()
    whole = change.relation.identity == "f"
    for index, column in enumerate(change.relation.columns):
        after = change.new[index] if change.new else None
        before = change.old[index] if change.old else None
        if change.new is not None:
            if after is Unchanged.UNCHANGED and change.old is not None and whole:
                after = before
            if not isinstance(after, Unchanged):
                new.values[column.name] = None if after is None else after.decode()
        if change.kind == "INSERT" or not (whole or column.in_identity):
            continue
        if change.old is None:
            before = after
        if not isinstance(before, Unchanged):
            old.values[column.name] = None if before is None else before.decode()
    return new, old


def _size(change: RowChange, facts: TableFacts) -> int:
    """About the length of the change as wal2json would write it."""
    total = 0
    for row in (change.new, change.old):
        for column, value in zip(change.relation.columns, row or (), strict=False):
            if not isinstance(value, Unchanged):
                type_name = facts.types[column.name].sql_name
                total += _PER_COLUMN_BYTES + len(column.name) + len(type_name) + len(value or b"")
    return total


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
