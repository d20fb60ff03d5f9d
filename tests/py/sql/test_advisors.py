"""What the linter behind Supabase's dashboard says of the database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from vintner_local.pytest_plugin import SupabaseStack

VINTNER_LOCAL = Path(sys.executable).parent / "vintner-local"
EXPLAINED = Path(__file__).parents[3] / "docs" / "advisors.md"


def test_every_finding_is_explained_and_none_is_worse_than_info(
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
    assert [f for f in ours if f["level"] != "INFO"] == []
    text = EXPLAINED.read_text()
    assert [f["name"] for f in ours if f"`{f['name']}`" not in text] == []
