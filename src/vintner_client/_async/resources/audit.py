"""The audit log."""

from __future__ import annotations

from uuid import UUID

from vintner_client._async.resources.base import AsyncResource
from vintner_client._async.rows import AsyncRows
from vintner_client._parsing import as_uuid
from vintner_client._query import Query, equals
from vintner_client.models import AuditAction, AuditEntry


class AsyncAudit(AsyncResource):
    """`client.audit`."""

    def list(
        self,
        *,
        vine_id: UUID | str | None = None,
        account_id: UUID | str | None = None,
        action: AuditAction | None = None,
        newest_first: bool = False,
    ) -> AsyncRows[AuditEntry]:
        """What happened in the caller's accounts, the oldest first.

        Args:
            vine_id: only what happened to this vine and its components, deleted or not.
            account_id: only what happened in this account.
            action: only this.
            newest_first: the other way round.
        """
        filters = equals(
            vine_ref=vine_id and as_uuid(vine_id),
            account_id=account_id and as_uuid(account_id),
            action=action,
        )
        return self._rows(
            AuditEntry, Query("vine_audit_log", filters, ("-seq" if newest_first else "seq",))
        )
