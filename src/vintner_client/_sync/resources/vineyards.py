# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/vineyards.py: run `make sync`.
"""Vineyards: workspaces that group vines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from vintner_client._parsing import as_uuid, parse
from vintner_client._query import Query, equals
from vintner_client._sync.resources.base import SyncResource
from vintner_client._sync.rows import SyncRows
from vintner_client._unset import UNSET, Unset, given
from vintner_client.models import Difference, Vineyard

Order = Literal["name", "-name", "created_at", "-created_at"]


class SyncVineyards(SyncResource):
    """`client.vineyards`."""

    def create(
        self, *, name: str, description: str | None = None, account_id: UUID | str | None = None
    ) -> Vineyard:
        """Makes a vineyard. For admins of the account.

        Args:
            name: unique among the caller's own vineyards.
            description: what it is for.
            account_id: whose it is to be; the caller's personal account by default.

        Raises:
            Conflict: the caller has a vineyard of this name.
            NotAllowed: the caller's role in the account does not allow it.
        """
        values = {
            "name": name,
            "description": description,
            "account_id": None if account_id is None else str(as_uuid(account_id)),
        }
        return self._insert(Vineyard, "vineyards", values)

    def list(
        self,
        *,
        name: str | None = None,
        account_id: UUID | str | None = None,
        order: Order = "name",
    ) -> SyncRows[Vineyard]:
        """The vineyards of all the caller's accounts.

        Args:
            name: only those of this name: more than one where accounts are shared.
            account_id: only those of this account.
            order: by what; a minus before it descends.
        """
        filters = equals(name=name, account_id=account_id and as_uuid(account_id))
        return self._rows(Vineyard, Query("vineyards", filters, (order, "id")))

    def get(self, vineyard_id: UUID | str, /) -> Vineyard:
        """The vineyard of an id.

        Args:
            vineyard_id: the vineyard.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return self._one(Vineyard, "vineyards", vineyard_id, "vineyard")

    def update(
        self,
        vineyard_id: UUID | str,
        /,
        *,
        name: str | Unset = UNSET,
        description: str | Unset | None = UNSET,
        requires_approval: bool | Unset = UNSET,
    ) -> Vineyard:
        """Changes what is given. For admins of the account.

        Args:
            vineyard_id: the vineyard.
            name: its new name.
            description: what it is for; None for nothing.
            requires_approval: whether production deploys and destroys wait for another admin.

        Raises:
            Conflict: the caller has another vineyard of this name.
            NotAllowed: the caller's role in the account does not allow it.
            NotFound: there is none that the caller may see.
        """
        values = given(name=name, description=description, requires_approval=requires_approval)
        return self._update(Vineyard, "vineyards", vineyard_id, "vineyard", values)

    def delete(self, vineyard_id: UUID | str, /) -> None:
        """Deletes a vineyard with its vines. For admins of the account.

        Args:
            vineyard_id: the vineyard.

        Raises:
            VineNotDeletable: resources of a vine in it may exist.
            NotAllowed: the caller's role in the account does not allow it.
            NotFound: there is none that the caller may see.
        """
        self._delete(Vineyard, "vineyards", vineyard_id, "vineyard")

    def apply(self, manifest: Mapping[str, Any], /, *, dry_run: bool = False) -> Difference:
        """Brings a whole vineyard to a described state, or changes nothing.

        Args:
            manifest: `name`, `vines` and so on, as docs/vineyard-manifest.md has it.
            dry_run: whether to tell the difference alone.

        Raises:
            InvalidInput: a key or a value that the database does not accept.
            NotAllowed: the caller's role does not allow a change that is needed.
        """
        answer = self._transport.rpc("apply_manifest", manifest=manifest, dry_run=dry_run)
        return parse(Difference, answer)
