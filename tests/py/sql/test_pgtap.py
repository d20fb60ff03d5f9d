"""Runs every file of tests/sql as one test: each is a pgTAP script in a transaction of its own."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from support.tap import FOLDER, HELPERS, run

ALONE = {"55_key_rotation", "60_audit"}
"""What counts or locks what a whole database shares, and so has one of its own."""

SCRIPTS = sorted(set(FOLDER.glob("*.sql")) - {HELPERS})


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script(request: pytest.FixtureRequest, script: Path) -> None:
    database = request.getfixturevalue("own_database" if script.stem in ALONE else "database")
    options = "-c search_path=public,extensions"
    with psycopg.connect(database, autocommit=True, options=options) as connection:
        lines = run(connection, script)
    plan = next((match for line in lines if (match := re.fullmatch(r"1\.\.(\d+)", line))), None)
    results = [line for line in lines if re.match(r"(not )?ok \d+", line)]
    report = "\n".join(line for line in lines if not line.startswith("ok "))
    assert plan is not None, f"the script has no plan:\n{report}"
    assert all(line.startswith("ok ") for line in results), report
    assert len(results) == int(plan[1]), f"{len(results)} of {plan[1]} tests ran:\n{report}"
