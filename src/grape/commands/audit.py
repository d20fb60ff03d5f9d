"""grape audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from grape.app import signed_in
from grape.naming import vine_named
from grape.output import is_terminal, json_option, write_rows

if TYPE_CHECKING:
    from vintner_client import AsyncVintner
    from vintner_client.models import AuditEntry


@click.command()
@click.argument("vine")
@json_option
@signed_in
async def audit(client: AsyncVintner, vine: str, as_json: bool) -> None:
    """Show what happened to a vine."""
    found = await vine_named(client, vine)
    entries = await client.audit.list(vine_id=found.id).all()
    brief = is_terminal() and not as_json
    rows = [
        {
            "created_at": entry.created_at,
            "action": entry.action,
            "component_type": entry.component_type,
            "changes": _brief(entry) if brief else entry.changes,
            "user_id": entry.user_id,
            "component_id": entry.component_id,
        }
        for entry in entries
    ]
    if brief:
        rows = [{key: row[key] for key in list(row)[:4]} for row in rows]
    write_rows(rows, as_json=as_json, empty="Nothing yet.")


def _brief(entry: AuditEntry) -> str:
    """The changes as a person takes them in: `status DRAFT → QUEUED`, or the columns' names."""
    if entry.action in ("CREATED", "DELETED"):
        side = "after" if entry.action == "CREATED" else "before"
        name = entry.changes.get("name") or entry.changes.get("project_name")
        return str(name.get(side, "")) if isinstance(name, dict) else ""
    told = []
    for column, change in entry.changes.items():
        if isinstance(change, dict):
            told.append(f"{column} {change.get('before', '-')} → {change.get('after', '-')}")
        else:
            told.append(f"{column} {change}")
    return ", ".join(told)
