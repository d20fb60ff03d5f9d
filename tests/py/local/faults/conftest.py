"""One whole stack for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vintner_local import lifecycle

from ..stack.small_project import Project, make_project
from .writing import TABLE

FUNCTIONS = """
create function public.large(rows integer) returns setof text language sql stable
as $$ select repeat('x', 1000) from generate_series(1, rows) $$;
create function public.whoami() returns uuid language sql stable as $$ select auth.uid() $$;
"""
ROOMY = "[api]\nmax_rows = 100000\n"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A running project whose processes the tests may kill, as long as they bring them back."""
    made = make_project(tmp_path_factory.mktemp("faults") / "a project")
    made.migration("20260101000200_written.sql").write_text(TABLE + FUNCTIONS)
    with (made.stack.project / "supabase" / "config.toml").open("a") as config:
        config.write(ROOMY)
    try:
        started = made.up()
        assert started.exit_code == 0, started.stderr
        yield made
    finally:
        lifecycle.remove(made.stack)
