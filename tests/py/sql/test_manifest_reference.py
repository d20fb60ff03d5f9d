"""docs/manifest.md lists every column that a manifest may set, with its default, or one a stage."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psycopg
import pytest

REFERENCE = Path(__file__).parents[3] / "docs" / "manifest.md"
STAGES = ("development", "staging", "production")
COLUMNS = """
    select k.manifest_key, a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), exists (
      select from public.environment_defaults as e
      where e.component = k.manifest_key and e.settings ? a.attname
    )
    from private.component_kinds as k
    cross join lateral unnest(k.client_columns) as c (name)
    join pg_attribute as a on a.attrelid = k.table_name and a.attname = c.name
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
"""
SETTINGS = """
    select d.component, s.key, d.environment_stage::text, s.value
    from public.environment_defaults as d cross join jsonb_each(d.settings) as s
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


def described_by_stage() -> set[tuple[str, str, str, str]]:
    """(kind, column, stage, default) of the reference's table of stages."""
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", REFERENCE.read_text(), re.MULTILINE
    )
    return {
        (kind, column, stage, value)
        for kind, column, *values in rows
        for stage, value in zip(STAGES, values, strict=True)
    }


def default_text(expression: str | None, is_needed: bool, is_by_stage: bool) -> str:
    """A default as the reference writes it."""
    if is_by_stage:
        return "by stage"
    if expression is None:
        return "needed" if is_needed else "none"
    literal = re.sub(r"^'(.*)'::[\w\[\]]+$", r"\1", expression)
    if expression.endswith("[]"):
        literal = f"[{literal.strip('{}')}]"
    return f"`{literal}`"


def test_reference_agrees_with_the_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        wanted = {
            (kind, column, default_text(expression, is_needed, is_by_stage))
            for kind, column, is_needed, expression, is_by_stage in connection.execute(COLUMNS)
        }
    assert described() == wanted


def test_reference_agrees_with_the_stages(database: str) -> None:
    with psycopg.connect(database) as connection:
        wanted = {
            (kind, column, stage, f"`{json.dumps(value).replace(chr(34), '')}`")
            for kind, column, stage, value in connection.execute(SETTINGS)
        }
    assert described_by_stage() == wanted


def test_the_reference_of_vineyards_shows_what_can_be_applied(database: str) -> None:
    """Its first example is a manifest; its table names the keys that there are."""
    text = (REFERENCE.parent / "vineyard-manifest.md").read_text()
    example = text.split("```json\n")[1].split("```")[0]
    with psycopg.connect(database) as connection:
        connection.execute("select tests.act_as(tests.sign_up('reader'))")
        apply = "select public.apply_manifest(%s, true)"
        (told,) = connection.execute(apply, [example]).fetchone() or ({},)
        assert len(told["create"]) == 6
        connection.execute("savepoint refused")
        with pytest.raises(psycopg.Error, match="there is no such key") as refused:
            connection.execute(apply, ['{"name": "x", "vines": [], "y": 1}'])
    keys = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert f"there are {', '.join(keys)}." in str(refused.value)
