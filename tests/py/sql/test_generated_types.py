"""The client's types are those of the database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from vintner_local.pytest_plugin import SupabaseStack

VINTNER_LOCAL = Path(sys.executable).parent / "vintner-local"
TYPES = Path(__file__).parents[3] / "src" / "vintner_client" / "types.py"


def test_types_are_as_generated(supabase_stack: SupabaseStack) -> None:
    generated = subprocess.run(
        [
            *(VINTNER_LOCAL, "supabase", "--data", supabase_stack.folder),
            *("gen", "types", "--lang", "python", "--schema", "public,cloud"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert TYPES.read_text() == generated.stdout, "the database has changed: run `make types`"
