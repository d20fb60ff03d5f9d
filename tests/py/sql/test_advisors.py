"""What the linter behind Supabase's dashboard says of the database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from vintner_local.pytest_plugin import SupabaseStack

VINTNER_LOCAL = Path(sys.executable).parent / "vintner-local"
EXPLAINED = Path(__file__).parents[3] / "docs" / "advisors.md"


def explained(name: str, schema: str, table: str) -> bool:
    """Whether a row of the page speaks of a finding: of the table, or of all of its schema."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$", EXPLAINED.read_text(), re.MULTILINE)
    places = {place for found, where in rows if found == name for place in where.split(", ")}
    return bool(places & {f"`{schema}.{table}`", f"`{schema}.*`"})


def test_every_finding_is_explained_and_none_is_an_error(
    supabase_stack: SupabaseStack,
) -> None:
    advisors = subprocess.run(
        [
            *(VINTNER_LOCAL, "supabase", "--data", supabase_stack.folder),
            *("db", "advisors", "--level", "info", "--output-format", "json"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    findings = json.loads(advisors.stdout)["results"]
    ours = [f for f in findings if f["metadata"].get("schema") in ("public", "cloud", "private")]
    assert [f for f in ours if f["level"] == "ERROR"] == []
    places = {(f["name"], f["metadata"]["schema"], f["metadata"]["name"]) for f in ours}
    assert {place for place in places if not explained(*place)} == set()
