"""The audit log."""

from __future__ import annotations

import builtins
from uuid import UUID

from vintner_client._resources._base import Resource, as_uuid
from vintner_client.models import AuditEntry


class Audit(Resource):
    """`client.audit`."""

    async def list(self, *, vine_id: UUID | str) -> builtins.list[AuditEntry]:
        """What happened to a vine and its components, the oldest first."""
        wanted = str(as_uuid(vine_id))
        return await self._all(
            AuditEntry,
            "vine_audit_log",
            lambda q: q.eq("vine_id", wanted).order("seq"),
        )
