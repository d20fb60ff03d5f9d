"""The audit log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime

from vintner_client.models.base import Record
from vintner_client.models.vocabulary import AuditAction


class AuditEntry(Record):
    """What happened to a vine or a component; `changes` holds before and after by column."""

    id: UUID
    account_id: UUID
    vine_id: UUID | None
    user_id: UUID | None
    action: AuditAction
    component_type: str
    component_id: UUID
    changes: dict[str, Any]
    created_at: AwareDatetime
