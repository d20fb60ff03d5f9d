# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/audit.py: run `make sync`.
"""The audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from vintner_client._parsing import as_uuid
from vintner_client._query import Query, equals
from vintner_client._sync.resources.base import SyncResource
from vintner_client._sync.rows import SyncRows
from vintner_client.models import AuditAction, AuditEntry

Order = Literal["created_at", "-created_at"]


class SyncAudit(SyncResource):
    """`client.audit`."""

    def list(
        self,
        *,
        vine_id: UUID | str | None = None,
        account_id: UUID | str | None = None,
        user_id: UUID | str | None = None,
        action: AuditAction | Sequence[AuditAction] | None = None,
        order: Order = "created_at",
    ) -> SyncRows[AuditEntry]:
        """What happened in the caller's accounts, the oldest first.

        Args:
            vine_id: only what happened to this vine and its components, deleted or not.
            account_id: only what happened in this account.
            user_id: only what this user did.
            action: only this, or one of several.
            order: by time; a minus before it puts the newest first.
        """
        filters = equals(
            vine_ref=vine_id and as_uuid(vine_id),
            account_id=account_id and as_uuid(account_id),
            user_id=user_id and as_uuid(user_id),
            action=action,
        )
        # numbered as they were written, so that no two are of the same time
        return self._rows(
            AuditEntry, Query("vine_audit_log", filters, (order.replace("created_at", "seq"),))
        )
