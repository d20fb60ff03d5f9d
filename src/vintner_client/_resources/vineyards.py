"""Vineyards: workspaces that group vines."""

from __future__ import annotations

import builtins
from uuid import UUID

from vintner_client._resources._base import Resource
from vintner_client.models import Vineyard


class Vineyards(Resource):
    """`client.vineyards`."""

    async def create(
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
            "account_id": None if account_id is None else str(account_id),
        }
        return await self._insert(Vineyard, "vineyards", values)

    async def list(self) -> builtins.list[Vineyard]:
        """The vineyards of all the caller's accounts, by name."""
        return await self._all(Vineyard, "vineyards", lambda q: q.order("name").order("id"))

    async def get(self, vineyard_id: UUID | str, /) -> Vineyard:
        """The vineyard of an id.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(Vineyard, "vineyards", vineyard_id, "vineyard")

    async def find(self, *, name: str) -> builtins.list[Vineyard]:
        """The vineyards of a name: more than one where accounts are shared."""
        return await self._all(Vineyard, "vineyards", lambda q: q.eq("name", name).order("id"))
