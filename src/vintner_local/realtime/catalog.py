"""What the catalog says of a table at the time its changes are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from vintner_local.realtime.pgoutput import Relation

_FACTS = """
select c.relrowsecurity,
       pg_catalog.format('%%I.%%I', n.nspname, c.relname),
       coalesce((
         select array_agg(a.attname::text order by k.position)
         from pg_catalog.pg_index as i
         cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, position)
         join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum = k.attnum
         where i.indrelid = c.oid and i.indisprimary
       ), '{}'),
       array(
         select t.typname::text
         from unnest(%(types)s::oid[]) with ordinality as u(oid, position)
         join pg_catalog.pg_type as t on t.oid = u.oid
         order by u.position
       ),
       array(
         select pg_catalog.format_type(u.oid, -1)
         from unnest(%(types)s::oid[]) with ordinality as u(oid, position)
         join pg_catalog.pg_type as t on t.oid = u.oid
         order by u.position
       ),
       (
         select coalesce(jsonb_object_agg(r.rolname, to_jsonb(array(
           select a.attname::text
           from pg_catalog.pg_attribute as a
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             and pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')
         ))), '{}')
         from pg_catalog.pg_roles as r
         where r.rolname = any(%(roles)s::name[])
       )
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
where c.oid = %(oid)s
"""


@dataclass(frozen=True, slots=True)
class TypeNames:
    """A type's catalog name, as events show it, and its name in SQL."""

    name: str
    sql_name: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What judging a change needs to know of its table.

    Attributes:
        sql_name: the table in SQL, quoted and qualified.
        row_security: whether row-level security is on.
        key: the primary key's columns.
        types: the types of the published columns.
        selectable: by role, the columns it may SELECT.
    """

    sql_name: str
    row_security: bool
    key: tuple[str, ...]
    types: Mapping[str, TypeNames]
    selectable: Mapping[str, frozenset[str]]

    def cast(self, column: str) -> sql.Composable:
        """A column's type, fit for a query with placeholders."""
        return sql.SQL(self.types[column].sql_name.replace("%", "%%"))

    def visibility_query(self) -> str:
        """A query that says whether the row with the key in `$1` (text[]) is visible."""
        tests = sql.SQL(" and ").join(
            sql.SQL("{} = ($1)[{}]::{}").format(
                sql.Identifier(name), sql.Literal(number), sql.SQL(self.types[name].sql_name)
            )
            for number, name in enumerate(self.key, start=1)
        )
        return (
            sql.SQL("select exists (select 1 from {} where {})")
            .format(sql.SQL(self.sql_name), tests)
            .as_string(None)
        )


async def read_facts(
    connection: psycopg.AsyncConnection, relation: Relation, roles: frozenset[str]
) -> TableFacts | None:
    """Looks a table up.

    Args:
        connection: any; its search path must be empty, so that names come qualified.
        relation: the table as the stream described it.
        roles: the roles whose rights are asked for.

    Returns:
        The facts, or None if the table or one of its types is gone.
    """
    values = {
        "oid": relation.oid,
        "types": [column.type_oid for column in relation.columns],
        "roles": list(roles),
    }
    row = await (await connection.execute(_FACTS, values)).fetchone()
    if row is None or len(row[3]) != len(relation.columns):
        return None
    row_security, sql_name, key, names, sql_names, selectable = row
    return TableFacts(
        sql_name=sql_name,
        row_security=row_security,
        key=tuple(key),
        types={
            column.name: TypeNames(name, type_sql)
            for column, name, type_sql in zip(relation.columns, names, sql_names, strict=True)
        },
        selectable={role: frozenset(columns) for role, columns in selectable.items()},
    )
