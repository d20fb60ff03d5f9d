"""Looks for secrets where none may be: in every table, and in what the servers log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

TABLES = """
    select n.nspname, c.relname
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and c.relpersistence = 'p'
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
"""


def tables_with(url: str, words: Iterable[str]) -> list[str]:
    """The tables of a database that hold one of these words, as it is or in the bytes of a bytea.

    Args:
        url: of the database, as its superuser.
        words: what to look for.
    """
    patterns = [f"%{form}%" for word in words for form in (word, word.encode().hex())]
    found = []
    with psycopg.connect(url, autocommit=True) as connection:
        for schema, name in connection.execute(TABLES).fetchall():
            query = sql.SQL("select exists (select from {} as t where t::text like any (%s))")
            try:
                row = connection.execute(
                    query.format(sql.Identifier(schema, name)), [patterns]
                ).fetchone()
            except psycopg.errors.UndefinedTable:
                # another test's, gone by now
                continue
            if row == (True,):
                found.append(f"{schema}.{name}")
    return sorted(found)


def logs_with(folder: Path, words: Iterable[str]) -> list[str]:
    """The lines of a stack's log files that hold one of these words.

    Args:
        folder: of the stack.
        words: what to look for.
    """
    wanted = list(words)
    return [
        f"{log.name}: {line}"
        for log in sorted((folder / "logs").iterdir())
        for line in log.read_text(errors="replace").splitlines()
        if any(word in line for word in wanted)
    ]
