"""docs/manifest.md lists every column that a manifest may set, with its default."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

REFERENCE = Path(__file__).parents[3] / "docs" / "manifest.md"
COLUMNS = """
    select k.manifest_key, a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    from private.component_kinds as k
    cross join lateral unnest(k.client_columns) as c (name)
    join pg_attribute as a on a.attrelid = k.table_name and a.attname = c.name
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
"""


def described() -> set[tuple[str, str, str]]:
    """(kind, column, default) of each row of the reference's tables, the vine's own left out."""
    kind, rows = "", set()
    for line in REFERENCE.read_text().splitlines():
        if heading := re.fullmatch(r"## (\w+)", line):
            kind = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]*\|", line):
            rows.add((kind, row[1], row[2]))
    return rows


def default_text(expression: str | None, is_needed: bool) -> str:
    """A default as the reference writes it."""
    if expression is None:
        return "needed" if is_needed else "none"
    literal = re.sub(r"^'(.*)'::[\w\[\]]+$", r"\1", expression)
    if expression.endswith("[]"):
        literal = f"[{literal.strip('{}')}]"
    return f"`{literal}`"


def test_reference_agrees_with_the_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        wanted = {
            (kind, column, default_text(expression, is_needed))
            for kind, column, is_needed, expression in connection.execute(COLUMNS)
        }
    assert described() == wanted
