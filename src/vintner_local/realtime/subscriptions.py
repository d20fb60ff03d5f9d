"""Items of `postgres_changes`: read, then checked against the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.errors import lookup
from pydantic import JsonValue

from vintner_local.realtime import filters
from vintner_local.realtime.elixir import inspect
from vintner_local.realtime.filters import Filter, FilterError, FilterMismatchError, parse_filters
from vintner_local.realtime.phash2 import phash2
from vintner_local.realtime.tokens import Token

_KINDS = ("INSERT", "UPDATE", "DELETE")

_PUBLISHED = """
select c.oid::int8, format('%%I.%%I', p.schemaname, p.tablename)
from pg_catalog.pg_publication_tables as p
join pg_catalog.pg_namespace as n on n.nspname = p.schemaname
join pg_catalog.pg_class as c on c.relnamespace = n.oid and c.relname = p.tablename
where p.pubname = 'supabase_realtime'
  and (%(schema)s = '*' or p.schemaname = %(schema)s)
  and (%(table)s = '*' or p.tablename = %(table)s)
order by 2
"""

_COLUMNS = """
select a.attname::text,
       pg_catalog.format_type(a.atttypid, -1),
       array(
         select distinct o.oprname::text from pg_catalog.pg_operator as o
         where o.oprname in ('~~', '~', '~*') and o.oprleft in (a.atttypid, t.target)
       )
from pg_catalog.pg_attribute as a
cross join lateral (
  select case when a.atttypid = 'pg_catalog.varchar'::pg_catalog.regtype
              then 'pg_catalog.text'::pg_catalog.regtype::oid else a.atttypid end as target
) as t
where a.attrelid = %(oid)s and a.attnum > 0 and not a.attisdropped
  and pg_catalog.has_column_privilege(%(role)s::name, a.attrelid, a.attnum, 'SELECT')
"""


class SubscribeError(Exception):
    """An item that cannot be subscribed to; the message is the text of the `system` event."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whose eyes a subscription sees with: a database role and the claims, as JSON text."""

    role: str
    claims: str

    @classmethod
    def of(cls, token: Token) -> Audience:
        """The audience that a token stands for."""
        return cls(token.role, json.dumps(token.claims))


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed item.

    Attributes:
        item_id: the id under which events name it.
        event: `*` or one kind of change.
        schema: a schema, or `*`.
        table: a table, or `*`.
        filters: all must hold.
        select: the columns to send beside the key, or None for all.
    """

    item_id: int
    event: str
    schema: str
    table: str
    filters: tuple[Filter, ...]
    select: tuple[str, ...] | None

    def wants(self, kind: str) -> bool:
        """Whether a kind of change is asked for."""
        return self.event in ("*", kind)

    def describe(self) -> str:
        """The parameters as error texts show them."""
        tests = ", ".join(test.inspect() for test in self.filters)
        select: JsonValue = None if self.select is None else [*self.select]
        return (
            f"[event: {self.event}, schema: {self.schema}, table: {self.table},"
            f" filters: [{tests}], select: {inspect(select)}]"
        )


@dataclass(frozen=True, slots=True)
class Subscription:
    """A selection that was checked, with the tables (oids) it covers."""

    selection: Selection
    relations: frozenset[int]


def parse_selection(item: dict[str, JsonValue]) -> Selection:
    """Reads one item.

    Args:
        item: as the client sent it.

    Raises:
        SubscribeError: it names no table or schema, or its filter cannot be read.
    """
    schema, table = item.get("schema"), item.get("table")
    test = item.get("filter", "")
    named = isinstance(schema, str) or isinstance(table, str)
    well_typed = all(isinstance(item.get(key, ""), str) for key in ("schema", "table", "filter"))
    if not named or not well_typed or ("filter" in item and "table" not in item):
        raise SubscribeError(
            "No subscription params provided. Please provide at least a `schema` or `table` to"
            f" subscribe to: {inspect(item)}"
        )
    try:
        tests = parse_filters(str(test))
    except FilterError as error:
        raise SubscribeError(str(error)) from error
    event = str(item.get("event", "*")).upper()
    select = item.get("select")
    columns = tuple(map(str, select)) if isinstance(select, list) else None
    return Selection(
        item_id=phash2(item),
        event=event if event in _KINDS else "*",
        schema=schema if isinstance(schema, str) else "public",
        table=table if isinstance(table, str) else "*",
        filters=tests,
        select=columns,
    )


async def subscribe(
    connection: psycopg.AsyncConnection, selections: Iterable[Selection], role: str
) -> tuple[Subscription, ...]:
    """Checks all items of one channel; one bad item fails all.

    Args:
        connection: a connection in autocommit mode.
        selections: the items.
        role: the database role that will hear of changes.

    Raises:
        SubscribeError: a table is not published, or PostgreSQL refuses an item.
        psycopg.OperationalError: the database is away.
    """
    return tuple([await _subscribe_one(connection, item, role) for item in selections])


async def _subscribe_one(
    connection: psycopg.AsyncConnection, selection: Selection, role: str
) -> Subscription:
    try:
        names = {"schema": selection.schema, "table": selection.table}
        tables = await (await connection.execute(_PUBLISHED, names)).fetchall()
        if not tables:
            raise SubscribeError(
                "Unable to subscribe to changes with given parameters. Please check Realtime is"
                f" enabled for the given connect parameters: {selection.describe()}"
            )
        await connection.execute("select pg_catalog.quote_ident(%s)::pg_catalog.regrole", (role,))
        for oid, _ in tables:
            await _check_table(connection, selection, oid, role)
    except FilterMismatchError as error:
        raise _refused(selection, "P0001", str(error)) from error
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise _refused(selection, error.sqlstate or "XX000", message) from error
    return Subscription(selection, frozenset(oid for oid, _ in tables))


async def _check_table(
    connection: psycopg.AsyncConnection, selection: Selection, oid: int, role: str
) -> None:
    found = await (await connection.execute(_COLUMNS, {"oid": oid, "role": role})).fetchall()
    columns = {name: (type_name, frozenset(operators)) for name, type_name, operators in found}
    for test in selection.filters:
        if test.column not in columns:
            raise FilterMismatchError(f"invalid column for filter {test.column}")
        expression = filters.check(test, *columns[test.column])
        if expression is None:
            continue
        body, values = expression
        row = await (await connection.execute(sql.SQL("select {}").format(body), values)).fetchone()
        if test.op == "in" and row and row[0] > filters.MAX_IN_VALUES:
            raise FilterMismatchError(
                f"too many values for `in` filter. Maximum {filters.MAX_IN_VALUES}"
            )
    for name in selection.select or ():
        if name not in columns:
            raise FilterMismatchError(f"invalid column for select {name}")


def _refused(selection: Selection, state: str, message: str) -> SubscribeError:
    return SubscribeError(
        "Unable to subscribe to changes with given parameters. An exception happened so please"
        f" check your connect parameters: {selection.describe()}."
        f" Exception: ERROR {state} ({_condition_name(state)}) {message}"
    )


def _condition_name(state: str) -> str:
    """PostgreSQL's name of an error code, such as `invalid_text_representation`."""
    try:
        name = lookup(state).__name__
    except KeyError:
        return "unknown"
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
