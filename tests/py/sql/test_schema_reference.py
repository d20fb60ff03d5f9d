"""docs/schema.md is what the database says of itself."""

from __future__ import annotations

from pathlib import Path

from schema_reference import page
from vintner_local.pytest_plugin import SupabaseStack

REFERENCE = Path(__file__).parents[3] / "docs" / "schema.md"


def test_reference_is_as_generated(supabase_stack: SupabaseStack) -> None:
    generated = page(supabase_stack.admin_db_url)
    assert REFERENCE.read_text() == generated, "the database has changed: run `make docs-schema`"
