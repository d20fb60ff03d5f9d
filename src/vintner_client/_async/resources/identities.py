"""Cloud identities: how Vintner reaches a cloud account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from vintner_client._async.resources.base import AsyncResource
from vintner_client._async.rows import AsyncRows
from vintner_client._async.transport import new_idempotency_key
from vintner_client._parsing import as_uuid, parse
from vintner_client._query import Query, equals
from vintner_client._unset import UNSET, Unset, given
from vintner_client.models import CloudIdentity, Job, JobType

Order = Literal["name", "-name", "created_at", "-created_at"]

WHAT = "cloud identity"


class AsyncIdentities(AsyncResource):
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
            "account_id": None if account_id is None else str(as_uuid(account_id)),
        }
        return await self._insert(CloudIdentity, "cloud_identities", values)

    def list(
        self,
        *,
        name: str | None = None,
        provider: str | None = None,
        account_id: UUID | str | None = None,
        order: Order = "name",
    ) -> AsyncRows[CloudIdentity]:
        """The cloud identities of all the caller's accounts.

        Args:
            name: only those of this name, of which there may be several.
            provider: only those of `aws`, `gcp`, `azure` or `local`.
            account_id: only those of this account.
            order: by what; a minus before it descends.
        """
        filters = equals(
            name=name, provider=provider, account_id=account_id and as_uuid(account_id)
        )
        return self._rows(CloudIdentity, Query("cloud_identities", filters, (order, "id")))

    async def get(self, identity_id: UUID | str, /) -> CloudIdentity:
        """The cloud identity of an id.

        Args:
            identity_id: the cloud identity.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(CloudIdentity, "cloud_identities", identity_id, WHAT)

    async def update(
        self,
        identity_id: UUID | str,
        /,
        *,
        name: str | Unset = UNSET,
        credentials: Mapping[str, Any] | Unset = UNSET,
    ) -> CloudIdentity:
        """Changes what is given. For admins of the account.

        Args:
            identity_id: the cloud identity.
            name: its new name.
            credentials: all of them anew; ciphertext that came from here stays what it is.

        Raises:
            NotAllowed: the caller's role in the account does not allow it.
            NotFound: there is none that the caller may see.
        """
        values = given(
            name=name, credentials=credentials if credentials is UNSET else dict(credentials)
        )
        return await self._update(CloudIdentity, "cloud_identities", identity_id, WHAT, values)

    async def delete(self, identity_id: UUID | str, /) -> None:
        """Deletes a cloud identity. For admins of the account.

        Args:
            identity_id: the cloud identity.

        Raises:
            Conflict: a vine uses it.
            NotAllowed: the caller's role in the account does not allow it.
            NotFound: there is none that the caller may see.
        """
        await self._delete(CloudIdentity, "cloud_identities", identity_id, WHAT)

    async def test(self, identity_id: UUID | str, /) -> Job:
        """Queues a CONNECTION_TEST: whether the credentials work. For operators.

        Args:
            identity_id: the cloud identity.

        Raises:
            NotFound: there is none that the caller may see.
            NotAllowed: the caller's role in the account does not allow it.
        """
        return await self._enqueue(identity_id, JobType.CONNECTION_TEST)

    async def fetch_resources(self, identity_id: UUID | str, /) -> Job:
        """Queues a FETCH_RESOURCES: what exists in the cloud account. For operators.

        Args:
            identity_id: the cloud identity.

        Raises:
            NotFound: there is none that the caller may see.
            NotAllowed: the caller's role in the account does not allow it.
        """
        return await self._enqueue(identity_id, JobType.FETCH_RESOURCES)

    async def reveal_credentials(self, identity_id: UUID | str, /) -> dict[str, Any]:
        """The credentials in clear; the audit log tells of it. For admins of the account.

        Args:
            identity_id: the cloud identity.

        Raises:
            NotFound: there is none that the caller may see.
            NotAllowed: the caller's role in the account does not allow it.
        """
        found = str(as_uuid(identity_id))
        answer = await self._transport.rpc("reveal_credentials", cloud_identity_id=found)
        return parse(dict[str, Any], answer)

    async def _enqueue(self, identity_id: UUID | str, job_type: JobType) -> Job:
        answer = await self._transport.rpc(
            "enqueue_identity_job",
            cloud_identity_id=str(as_uuid(identity_id)),
            job_type=job_type,
            idempotency_key=new_idempotency_key(),
        )
        return parse(Job, answer)
