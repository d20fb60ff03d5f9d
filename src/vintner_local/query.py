"""Running SQL text and showing what comes back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import psycopg

from vintner_local.errors import StackError

JSON_TYPES = ("bool", "int2", "int4", "int8", "json", "jsonb")
"""Types whose text is JSON as it stands, but for bool."""
NO_COPY = "COPY from and to the client is not covered: use psql with the URL in .env"
NUMBER_TYPES = ("int2", "int4", "int8", "float4", "float8", "numeric", "oid")


@dataclass(frozen=True)
class Result:
    """What one statement gave.

    Attributes:
        command: PostgreSQL's command tag, such as `UPDATE 3`.
        columns: name and type name of each column; empty for a statement without rows.
        rows: the values as PostgreSQL writes them; None for null.
    """

    command: str
    columns: tuple[tuple[str, str], ...]
    rows: list[tuple[str | None, ...]]


def run(
    url: str, text: str, notice: Callable[[psycopg.errors.Diagnostic], None]
) -> Iterator[Result]:
    """Runs one or more statements, in one transaction unless they say otherwise.

    Args:
        url: the database.
        text: the statements.
        notice: given the server's notices.

    Yields:
        The result of each statement.

    Raises:
        psycopg.Error: a statement fails, or the database cannot be reached.
        StackError: a COPY wants to speak with the client.
    """
    with psycopg.connect(url, autocommit=True, sslmode="disable") as connection:
        connection.add_notice_handler(notice)
        try:
            cursor = connection.execute(text.encode())
        except psycopg.ProgrammingError as error:
            if error.sqlstate is None:
                connection.close()
                raise StackError(NO_COPY) from error
            raise
        while True:
            yield _result(connection, cursor)
            if not cursor.nextset():
                return


def as_table(result: Result) -> str:
    """The rows under a header, numbers to the right."""
    names = [name for name, _ in result.columns]
    numeric = [kind in NUMBER_TYPES for _, kind in result.columns]
    cells = [[value if value is not None else "" for value in row] for row in result.rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    header = (f" {name:^{width}} " for name, width in zip(names, widths, strict=True))
    lines = ["|".join(header), "+".join("-" * (width + 2) for width in widths)]
    for row in cells:
        aligned = (
            f" {value:>{width}} " if right else f" {value:<{width}} "
            for value, width, right in zip(row, widths, numeric, strict=True)
        )
        lines.append("|".join(aligned).rstrip())
    count = len(cells)
    return "\n".join([*lines, f"({count} row{'' if count == 1 else 's'})"])


def as_csv(result: Result) -> str:
    """The rows as CSV with a header; null is an empty field."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([name for name, _ in result.columns])
    writer.writerows(result.rows)
    return out.getvalue().rstrip("\n")


def as_json(result: Result) -> str:
    """The rows as a JSON array of objects; what JSON has no type for is text."""
    rows = [
        {
            name: _json_value(value, kind)
            for (name, kind), value in zip(result.columns, row, strict=True)
        }
        for row in result.rows
    ]
    return json.dumps(rows, ensure_ascii=False)


Format = Callable[[Result], str]
FORMATS: dict[str, Format] = {"table": as_table, "csv": as_csv, "json": as_json}


def _json_value(value: str | None, kind: str) -> Any:
    if value is None:
        return None
    if kind == "bool":
        return value == "t"
    return json.loads(value) if kind in JSON_TYPES else value


def _result(connection: psycopg.Connection, cursor: psycopg.Cursor[Any]) -> Result:
    answer = cursor.pgresult
    if answer is None:
        return Result("", (), [])
    columns = []
    for index in range(answer.nfields):
        known = connection.adapters.types.get(answer.ftype(index))
        name = (answer.fname(index) or b"").decode()
        columns.append((name, known.name if known else ""))
    rows = [
        tuple(_text(answer.get_value(row, column)) for column in range(answer.nfields))
        for row in range(answer.ntuples)
    ]
    return Result((answer.command_status or b"").decode(), tuple(columns), rows)


def _text(value: bytes | None) -> str | None:
    return value.decode() if value is not None else None
