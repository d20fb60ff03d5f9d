"""The three kinds of stores: what each shows, where it asks for it and in which order it stands.

The order is one that the server and this library agree on, whatever the database's collation: by
time, then by id.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from uuid import UUID

from vintner_client._live.table import LiveRow, Table
from vintner_client.models import (
    Job,
    JobFilter,
    Record,
    Tendril,
    TendrilFilter,
    Vine,
    Vineyard,
    VineyardFilter,
    VineyardWithVines,
)
from vintner_client.models.filters import Filter

if TYPE_CHECKING:
    from vintner_client._async.client import AsyncVintner
    from vintner_client._sync.client import Vintner

Item = TypeVar("Item", bound=LiveRow)
Filters = TypeVar("Filters", bound=Filter)
Rows = Mapping[str, Sequence[Any]]
Ask = Callable[..., Awaitable[Any]]
"""Calls a method of a client from an event loop."""

IDS_AT_ONCE = 100
"""Ids that a URL may hold; proxies refuse URLs of more than 8 KB."""


async def ask_async(method: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Calls a method of an `AsyncVintner`."""
    return await method(*args)


ask_sync: Ask = asyncio.to_thread


class Kind(ABC, Generic[Item, Filters]):
    """What one kind of stores shows.

    Args:
        client: who is asked.
        ask: calls its methods.

    Attributes:
        models: of the rows of each published table that it follows; that of the items comes first.
    """

    models: ClassVar[Mapping[str, type[Record]]]

    def __init__(self, client: AsyncVintner | Vintner, ask: Ask) -> None:
        self._client = client
        self._ask = ask

    @abstractmethod
    async def fetch(self, wanted: Filters, count: int) -> Rows:
        """The rows by table, as they come in this kind's order.

        Args:
            wanted: which items.
            count: of items at most.
        """

    @abstractmethod
    def items(self, tables: Mapping[str, Table[Any]]) -> Iterable[Item]:
        """What the rows make, in any order."""

    def place(self, item: Item) -> tuple[float, int]:
        """Where an item stands: the oldest first. The seconds hold every microsecond apart."""
        return item.created_at.timestamp(), item.id.int


class Jobs(Kind[Job, JobFilter]):
    """Jobs, the newest first."""

    models: ClassVar = {"provision_jobs": Job}

    async def fetch(self, wanted: JobFilter, count: int) -> Rows:
        """See `Kind`."""
        found = self._client.jobs.list(
            vine_id=wanted.vine_id,
            vineyard_id=wanted.vineyard_id,
            status=wanted.status,
            job_type=wanted.job_type,
            order="-created_at",
        )
        return {"provision_jobs": await self._ask(found.take, count)}

    def items(self, tables: Mapping[str, Table[Any]]) -> Iterable[Job]:
        """See `Kind`."""
        return tables["provision_jobs"].rows()

    def place(self, item: Job) -> tuple[float, int]:
        """See `Kind`."""
        return -item.created_at.timestamp(), item.id.int


class Tendrils(Kind[Tendril, TendrilFilter]):
    """Tendrils, the oldest first."""

    models: ClassVar = {"workers": Tendril}

    async def fetch(self, wanted: TendrilFilter, count: int) -> Rows:
        """See `Kind`."""
        found = self._client.tendrils.list(
            name=wanted.name, status=wanted.status, order="created_at"
        )
        return {"workers": await self._ask(found.take, count)}

    def items(self, tables: Mapping[str, Table[Any]]) -> Iterable[Tendril]:
        """See `Kind`."""
        return tables["workers"].rows()


class Vineyards(Kind[VineyardWithVines, VineyardFilter]):
    """Vineyards with their vines, the oldest first."""

    models: ClassVar = {"vineyards": Vineyard, "vines": Vine}

    async def fetch(self, wanted: VineyardFilter, count: int) -> Rows:
        """See `Kind`."""
        found = self._client.vineyards.list(
            name=wanted.name, account_id=wanted.account_id, order="created_at"
        )
        vineyards = await self._ask(found.take, count)
        vines: list[Vine] = []
        for start in range(0, len(vineyards), IDS_AT_ONCE):
            ids = [each.id for each in vineyards[start : start + IDS_AT_ONCE]]
            rows = self._client.vines.list(vineyard_id=ids, order="created_at")
            vines += await self._ask(rows.all)
        return {"vineyards": vineyards, "vines": vines}

    def items(self, tables: Mapping[str, Table[Any]]) -> Iterable[VineyardWithVines]:
        """See `Kind`."""
        vines: dict[UUID, list[Vine]] = defaultdict(list)
        for vine in tables["vines"].rows():
            vines[vine.vineyard_id].append(vine)
        for vineyard in tables["vineyards"].rows():
            own = sorted(vines[vineyard.id], key=lambda vine: (vine.created_at, vine.id))
            yield VineyardWithVines(**dict(vineyard), vines=tuple(own))
