"""What commands print: tables for people, TSV for pipes, JSON for programs.

Rows are mappings whose keys are the contract: the same in JSON, and their order is that of TSV.
Keys may be added at the end; none is renamed or left out, and null is never omitted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

import click

if TYPE_CHECKING:
    from rich.text import Text

Row = Mapping[str, object]

COLOURS = {
    "ACTIVE": "green",
    "SUCCESS": "green",
    "ONLINE": "green",
    "FAILED": "red",
    "CANCELLED": "yellow",
    "QUEUED": "yellow",
    "CLAIMED": "cyan",
    "PROCESSING": "cyan",
    "PROVISIONING": "cyan",
    "CREATING": "cyan",
    "UPDATING": "cyan",
    "DESTROYING": "magenta",
    "DRAINING": "yellow",
    "OFFLINE": "dim",
    "DESTROYED": "dim",
    "DRAFT": "dim",
    "PENDING": "dim",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def is_terminal() -> bool:
    """Whether a person reads the output."""
    return sys.stdout.isatty()


def write(text: str, *, end: str = "\n") -> None:
    """Prints; a reader who has gone away ends the command, and that is success."""
    try:
        click.echo(text + end, nl=False)
    except BrokenPipeError:
        # what is still buffered would fail once more when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None


def write_json(value: object) -> None:
    """Prints a value as JSON."""
    write(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def write_rows(rows: Sequence[Row], *, as_json: bool = False, empty: str = "") -> None:
    """Prints rows.

    Args:
        rows: all with the same keys.
        as_json: as JSON.
        empty: what a person reads where there are none.
    """
    if as_json:
        write_json(rows)
    elif not is_terminal():
        for row in rows:
            write("\t".join(_cell(value) for value in row.values()))
    elif rows:
        write_table(rows)
    elif empty:
        write(empty)


def write_table(rows: Sequence[Row], *, title: str | None = None) -> None:
    """Prints rows as a table, for a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=title, title_justify="left", header_style="bold")
    for name in rows[0]:
        table.add_column(name.replace("_", " ").upper(), overflow="fold")
    now = datetime.now(UTC)
    for row in rows:
        table.add_row(*(_styled(value, now) for value in row.values()))
    Console(highlight=False).print(table)


def ago(moment: datetime, now: datetime) -> str:
    """A moment in the past, as people say it."""
    seconds = int((now - moment).total_seconds())
    if seconds < 5:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return f"{seconds} s ago"


def _styled(value: object, now: datetime) -> Text:
    from rich.text import Text

    if isinstance(value, datetime):
        return Text(ago(value, now))
    shown = _cell(value) or "-"
    return Text(shown, style=COLOURS.get(shown, "") if isinstance(value, Enum) else "")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    plain = _plain(value) if not isinstance(value, (str, int)) else value
    if isinstance(plain, (dict, list)):
        plain = json.dumps(plain, default=_plain, ensure_ascii=False)
    return " ".join(str(plain).split())


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (list, tuple, float, bool)):
        return value
    raise TypeError(f"{type(value).__name__} has no plain form")
