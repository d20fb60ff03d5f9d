"""Cloud identities: how Vintner reaches a cloud account."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from vintner_client._resources._base import Resource
from vintner_client.models import CloudIdentity


class Identities(Resource):
    """`client.identities`."""

    async def create(
        self,
        *,
        provider: str,
        name: str,
        credentials: Mapping[str, Any] | None = None,
        account_id: UUID | str | None = None,
    ) -> CloudIdentity:
        """Makes a cloud identity. For admins of the account.

        Args:
            provider: `aws`, `gcp`, `azure`, or `local`, which provisions nothing.
            name: its name for people.
            credentials: provider-specific; the database encrypts the sensitive keys.
            account_id: whose it is to be; the caller's personal account by default.

        Raises:
            InvalidInput: no such provider.
            NotAllowed: the caller's role in the account does not allow it.
        """
        values = {
            "provider": provider,
            "name": name,
            "credentials": dict(credentials or {}),
            "account_id": None if account_id is None else str(account_id),
        }
        return await self._insert(CloudIdentity, "cloud_identities", values)

    async def list(self) -> builtins.list[CloudIdentity]:
        """The cloud identities of all the caller's accounts, by name."""
        return await self._all(
            CloudIdentity, "cloud_identities", lambda q: q.order("name").order("id")
        )

    async def get(self, identity_id: UUID | str, /) -> CloudIdentity:
        """The cloud identity of an id.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(CloudIdentity, "cloud_identities", identity_id, "cloud identity")

    async def find(self, *, name: str) -> builtins.list[CloudIdentity]:
        """The cloud identities of a name, of which there may be several."""
        return await self._all(
            CloudIdentity, "cloud_identities", lambda q: q.eq("name", name).order("id")
        )
