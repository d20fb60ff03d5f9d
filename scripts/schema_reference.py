"""Writes docs/schema.md, the reference of the database, from what the database says of itself.

Run by `make docs-schema`, on a stack of its own; a test compares the page with the tests' database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from vintner_local.stack import SUPERUSER
from vintner_local.throwaway import throwaway_stack

PROJECT = Path(__file__).parents[1]
TARGET = PROJECT / "docs" / "schema.md"
Row = dict[str, Any]
Connection = psycopg.Connection[Row]

INTRODUCTION = """\
# The schema

Written by `make docs-schema` from a migrated database and held by a test: do not edit. The rules
behind it are in `supabase/migrations/`, one chapter a file. What is in `private` is not exposed
through the Data API, and not listed here.

A role may do what is listed under it, with the columns in brackets or with all, on the rows that
the policies leave it. `authenticated` is a signed-in person or a Tendril; `service_role` passes
over policies. A table is live when clients can follow its changes.
"""

USUAL_CONDITION = re.compile(
    r"\((\w+) = ANY \(ARRAY\( SELECT private\.(\w+)_ids\('(\w+)'::account_role\) AS \w+\)\)\)"
)
OWN_CONDITION = re.compile(r"\((\w+) = \( SELECT private\.current_user_id\(\) AS \w+\)\)")
"""How nearly every policy is written; the function's first word is what its ids are of."""

TABLES: LiteralString = """
    select c.oid, n.nspname as schema, c.relname as name,
           obj_description(c.oid, 'pg_class') as text,
           exists (select from pg_publication_tables as p
                   where p.schemaname = n.nspname and p.tablename = c.relname
                     and p.pubname = 'supabase_realtime') as is_live
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname in ('public', 'cloud') and c.relkind in ('r', 'p', 'v')
    order by n.nspname desc, c.relname collate "C"
"""
COLUMNS: LiteralString = """
    select a.attrelid as table_oid, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
           a.attnotnull as is_needed, pg_get_expr(d.adbin, d.adrelid) as "default",
           a.attidentity <> '' as is_identity, a.attgenerated <> '' as is_generated,
           col_description(a.attrelid, a.attnum) as text,
           coalesce((select bool_or(k.contype = 'p') from pg_constraint as k
                     where k.conrelid = a.attrelid and a.attnum = any (k.conkey)), false) as is_key,
           (select string_agg(format('%s.%s', k.confrelid::regclass::text, f.attname), ', '
                              order by k.conname collate "C")
            from pg_constraint as k
            join pg_attribute as f on f.attrelid = k.confrelid and f.attnum = k.confkey[1]
            where k.contype = 'f' and k.conrelid = a.attrelid and k.conkey[1] = a.attnum) as refers
    from pg_attribute as a
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attrelid = any ($1) and a.attnum > 0 and not a.attisdropped
    order by a.attrelid, a.attnum
"""
GRANTS: LiteralString = """
    select c.oid as table_oid, r.role, p.privilege,
           has_table_privilege(r.role, c.oid, p.privilege) as is_whole,
           coalesce((select array_agg(a.attname::text order by a.attnum) from pg_attribute as a
                     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                       and p.privilege <> 'DELETE'
                       and has_column_privilege(r.role, c.oid, a.attnum, p.privilege)),
                    '{}') as columns
    from pg_class as c
    cross join (values (1, 'anon'), (2, 'authenticated'), (3, 'service_role')) as r (place, role)
    cross join unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[])
      with ordinality as p (privilege, place)
    where c.oid = any ($1)
    order by c.oid, r.place, p.place
"""
POLICIES: LiteralString = """
    select p.polrelid as table_oid, p.polname as name,
           case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE'
             when 'd' then 'DELETE' else 'ALL' end as command,
           obj_description(p.oid, 'pg_policy') as text,
           pg_get_expr(p.polqual, p.polrelid) as qual,
           pg_get_expr(p.polwithcheck, p.polrelid) as "check"
    from pg_policy as p where p.polrelid = any ($1)
    order by p.polrelid, array_position('{r,a,w,d,*}'::"char"[], p.polcmd), p.polname collate "C"
"""
FUNCTIONS: LiteralString = """
    select n.nspname as schema, p.proname as name, pg_get_function_arguments(p.oid) as arguments,
           pg_get_function_result(p.oid) as result, obj_description(p.oid, 'pg_proc') as text,
           (select array_agg(r.role order by r.place)
            from (values (1, 'anon'), (2, 'authenticated'), (3, 'service_role')) as r (place, role)
            where has_function_privilege(r.role, p.oid, 'EXECUTE')) as callers
    from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
    where n.nspname in ('public', 'cloud') and p.prokind = 'f'
      and p.prorettype <> 'trigger'::regtype
      and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
    order by n.nspname desc, p.proname collate "C",
      pg_get_function_identity_arguments(p.oid) collate "C"
"""
ENUMS: LiteralString = """
    select n.nspname as schema, t.typname as name, obj_description(t.oid, 'pg_type') as text,
           (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum as e
            where e.enumtypid = t.oid) as labels
    from pg_type as t join pg_namespace as n on n.oid = t.typnamespace
    where n.nspname in ('public', 'cloud') and t.typtype = 'e'
    order by n.nspname desc, t.typname collate "C"
"""
LINKS: LiteralString = """
    select k.conrelid::regclass::text as source, k.confrelid::regclass::text as target,
           string_agg(a.attname, ', ' order by a.attname collate "C") as columns,
           bool_and(a.attnotnull) as is_needed,
           bool_or(exists (select from pg_index as i
                           where i.indrelid = k.conrelid and i.indisunique and i.indpred is null
                             and i.indkey::text = a.attnum::text)) as is_single
    from pg_constraint as k
    join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
    where k.contype = 'f' and k.conrelid = any ($1) and k.confrelid = any ($1)
    group by 1, 2
    order by k.conrelid::regclass::text collate "C", k.confrelid::regclass::text collate "C"
"""


def text(value: str | None) -> str:
    """Something that fits into a cell of a table."""
    return " ".join((value or "").split()).replace("|", "\\|")


def code(value: str | None) -> str:
    """The same as code; nothing for nothing."""
    return f"`{text(value)}`" if value else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table, with an empty line behind."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def by_table(rows: list[Row]) -> dict[int, list[Row]]:
    """Rows by the table that they belong to; they come in its order."""
    return {oid: list(found) for oid, found in groupby(rows, key=lambda row: row["table_oid"])}


def label(row: Row) -> str:
    """A name as the API knows it: without the schema where that is public."""
    return row["name"] if row["schema"] == "public" else f"{row['schema']}.{row['name']}"


def default(column: Row) -> str:
    """What a column holds when it is not given."""
    if column["is_identity"]:
        return "counted"
    if column["is_generated"]:
        return f"always {code(column['default'])}"
    if column["default"] is None:
        return "needed" if column["is_needed"] else ""
    return code(column["default"])


def meaning(column: Row) -> str:
    """A column's comment, with what it refers to."""
    notes = ["Key."] if column["is_key"] else []
    if column["refers"]:
        notes.append(f"→ {code(column['refers'])}.")
    return " ".join([*notes, text(column["text"])]).strip()


def rights(grants: list[Row]) -> Iterator[str]:
    """Which role may do what, before policies."""
    for role, found in groupby(grants, key=lambda grant: grant["role"]):
        told = []
        for grant in found:
            command = grant["privilege"].lower()
            if grant["is_whole"]:
                told.append(command)
            elif grant["columns"]:
                told.append(f"{command} ({', '.join(grant['columns'])})")
        if told:
            yield f"- `{role}`: {', '.join(told)}"


def english(expression: str) -> str:
    """A policy's condition: in words where it has the usual shape, else as it is."""
    if expression == "true":
        return "all"
    if own := OWN_CONDITION.fullmatch(expression):
        return f"the caller's own, by `{own[1]}`"
    usual = USUAL_CONDITION.fullmatch(expression)
    if usual is None:
        return code(expression)
    return f"those of {usual[2]}s where the caller is {usual[3]} or above, by `{usual[1]}`"


def rules(policies: list[Row]) -> Iterator[str]:
    """The policies of a table."""
    for policy in policies:
        told = [text(policy["text"])] if policy["text"] else []
        if policy["qual"] is not None:
            told.append(f"rows: {english(policy['qual'])}")
        if policy["check"] is not None:
            told.append(f"new rows: {english(policy['check'])}")
        yield f"- {policy['command'].lower()} (`{policy['name']}`): {'; '.join(told)}"


def diagram(links: list[Row]) -> Iterator[str]:
    """The tables and what refers to what, for Mermaid."""
    yield from ("```mermaid", "erDiagram")
    for link in links:
        target = "||" if link["is_needed"] else "|o"
        source = "o|" if link["is_single"] else "o{"
        names = (link[side].replace(".", "_") for side in ("target", "source"))
        yield f'  {next(names)} {target}--{source} {next(names)} : "{link["columns"]}"'
    yield from ("```", "")


def reference(database: Connection) -> Iterator[str]:
    """The page, line by line."""

    def rows(query: LiteralString, *values: object) -> list[Row]:
        return database.execute(query, values).fetchall()

    # names of other schemas are told in full, whatever the session's path is
    database.execute("set search_path = public, pg_catalog")
    tables = rows(TABLES)
    oids = [table["oid"] for table in tables]
    columns, grants = by_table(rows(COLUMNS, oids)), by_table(rows(GRANTS, oids))
    policies = by_table(rows(POLICIES, oids))

    yield from INTRODUCTION.splitlines()
    yield from ("", "## How the tables hang together", "")
    yield from diagram(rows(LINKS, oids))
    yield from ("## Tables", "")
    for found in tables:
        yield from (f"### {label(found)}", "")
        yield text(found["text"]) + (" Live." if found["is_live"] else "")
        yield ""
        yield from table(
            ("column", "type", "default", "meaning"),
            (
                (code(c["name"]), text(c["type"]), default(c), meaning(c))
                for c in columns[found["oid"]]
            ),
        )
        yield from rights(grants[found["oid"]])
        if found["oid"] in policies:
            yield from ("", "Policies:", "")
            yield from rules(policies[found["oid"]])
        yield ""
    yield from ("## Functions", "")
    for function in rows(FUNCTIONS):
        yield from (f"### {label(function)}", "")
        yield from ("```sql", f"{label(function)}({function['arguments']})")
        yield from (f"  returns {function['result']}", "```", "")
        callers = ", ".join(code(caller) for caller in function["callers"] or ["nobody"])
        yield from (f"{text(function['text'])} Called by {callers}.", "")
    yield from ("## Enums", "")
    yield from table(
        ("enum", "values", "meaning"),
        (
            (code(label(enum)), ", ".join(map(code, enum["labels"])), text(enum["text"]))
            for enum in rows(ENUMS)
        ),
    )


def page(url: str) -> str:
    """The whole reference.

    Args:
        url: the migrated database, as a role that may read its catalogs.
    """
    with psycopg.connect(url, row_factory=dict_row, cursor_factory=psycopg.RawCursor) as database:
        return "\n".join(reference(database)).rstrip() + "\n"


def main() -> None:
    """Writes the page."""
    with throwaway_stack(PROJECT) as (_, state):
        TARGET.write_text(page(state.db_url(SUPERUSER)), encoding="utf-8")


if __name__ == "__main__":
    main()
