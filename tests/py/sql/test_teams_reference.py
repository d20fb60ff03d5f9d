"""docs/teams.md tells of the functions and codes that there are."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

REFERENCE = Path(__file__).parents[3] / "docs" / "teams.md"
CHAPTERS = Path(__file__).parents[3] / "supabase" / "migrations"
SIGNATURES = """
    select p.proname || '(' || array_to_string(p.proargnames, ', ') || ')'
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.proname = any (%s)
"""


def test_functions_and_codes_are_those_of_the_database(database: str) -> None:
    text = REFERENCE.read_text()
    (members,) = CHAPTERS.glob("*_members.sql")
    (invitations,) = CHAPTERS.glob("*_invitations.sql")
    made = re.findall(
        r"create function public\.(\w+)", members.read_text() + invitations.read_text()
    )
    codes = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", text, re.M)) - {
        *("viewer", "operator", "admin", "owner")
    }
    with psycopg.connect(database) as connection:
        signatures = {row[0] for row in connection.execute(SIGNATURES, [made])}
        known = {row[0] for row in connection.execute("select code from private.error_codes")}

    assert set(re.findall(r"^\| `(\w+\([\w, ]*\))` \|", text, re.M)) == signatures
    assert codes <= known
    assert {c for c in known if c.startswith("invitation_")} <= codes
