"""Runs pgTAP scripts."""

from __future__ import annotations

from pathlib import Path

import psycopg

FOLDER = Path(__file__).parents[2] / "sql"
HELPERS = FOLDER / "00_helpers.sql"


def run(connection: psycopg.Connection[tuple[object, ...]], script: Path) -> list[str]:
    """Runs a script and returns the lines of TAP that it prints.

    Args:
        connection: in autocommit; the script opens its own transaction.
        script: the file.
    """
    cursor = connection.execute(script.read_bytes())
    lines: list[str] = []
    while True:
        if cursor.description is not None:
            lines += [str(value) for row in cursor for value in row if value is not None]
        if not cursor.nextset():
            return [line for value in lines for line in value.splitlines()]
