"""How the two clients reach what is live: in the caller's event loop, or in a thread's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING
from uuid import UUID

from vintner_client._live import kinds
from vintner_client._live.kinds import Filters, Item, Kind
from vintner_client._live.logs import follow
from vintner_client._live.state import LiveState
from vintner_client._live.store import AsyncStore
from vintner_client._live.stores import Stores
from vintner_client._live.subscriptions import StateCallback, Subscriptions
from vintner_client._live.sync_store import SyncStore
from vintner_client._live.thread import LoopThread
from vintner_client.errors import VintnerError
from vintner_client.models import (
    Job,
    JobFilter,
    LogChunk,
    Tendril,
    TendrilFilter,
    VineyardFilter,
    VineyardWithVines,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vintner_client._async.client import AsyncVintner
    from vintner_client._async.resources.jobs import AsyncJobs
    from vintner_client._session import Session
    from vintner_client._storage import Storage
    from vintner_client._sync.auth import SyncAuth
    from vintner_client._sync.client import Vintner
    from vintner_client._sync.resources.jobs import SyncJobs


class Live:
    """What the two have in common.

    Args:
        subscriptions: the client's.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions

    @property
    def state(self) -> LiveState:
        """Whether what is subscribed to is heard."""
        return self._subscriptions.state

    @property
    def error(self) -> VintnerError | None:
        """Why it is not heard: what went wrong last. None while all is well."""
        return self._subscriptions.error

    def on_state_change(self, callback: StateCallback, /) -> Callable[[], None]:
        """Has a function called with the state and the error whenever one of them has changed.

        Args:
            callback: is called in the event loop, by the sync client in its thread, and is to be
                brief; what it raises is logged.

        Returns:
            A function that ends it.
        """
        return self._subscriptions.on_state_change(callback)


class AsyncLive(Live):
    """`client.live`: live data in the caller's event loop.

    All that is live comes over one socket, open while something is subscribed to.

    Args:
        client: whose data.
        key: the project's API key.
        storage: where stores remember what they show.
    """

    def __init__(self, client: AsyncVintner, key: str, storage: Storage) -> None:
        super().__init__(Subscriptions(client.url, key, client.auth))
        self._client = client
        self._stores = Stores(client.url, storage, self._subscriptions.subscribe)

    def jobs(
        self, *, show: JobFilter | None = None, page_size: int = 50, remember: str | None = None
    ) -> AsyncStore[Job, JobFilter]:
        """A live store of jobs, the newest first; to be opened with `async with`.

        Args:
            show: which jobs, unless others are remembered; all by default.
            page_size: how many each page brings.
            remember: a name under which the client's storage keeps the filter and the pages, so
                that they are as they were when the store is made again. By default they are not.

        Raises:
            InvalidInput: a page is to bring nothing.
        """
        return self._store(kinds.Jobs, show or JobFilter(), page_size, remember)

    def tendrils(
        self, *, show: TendrilFilter | None = None, page_size: int = 50, remember: str | None = None
    ) -> AsyncStore[Tendril, TendrilFilter]:
        """A live store of Tendrils that are not removed, the oldest first; see `jobs`."""
        return self._store(kinds.Tendrils, show or TendrilFilter(), page_size, remember)

    def vineyards(
        self,
        *,
        show: VineyardFilter | None = None,
        page_size: int = 50,
        remember: str | None = None,
    ) -> AsyncStore[VineyardWithVines, VineyardFilter]:
        """A live store of vineyards with their vines, the oldest first; see `jobs`."""
        return self._store(kinds.Vineyards, show or VineyardFilter(), page_size, remember)

    def _follow(
        self, jobs: AsyncJobs, job_id: UUID, from_seq: int
    ) -> AsyncGenerator[LogChunk, None]:
        """See `AsyncJobs.follow_logs`."""
        return follow(_AsyncJobReader(jobs), self._subscriptions, job_id, from_seq)

    async def _close(self) -> None:
        """Closes every store and the socket."""
        await self._stores.close()
        await self._subscriptions.close()

    def _store(
        self,
        kind: type[Kind[Item, Filters]],
        first: Filters,
        page_size: int,
        remember: str | None,
    ) -> AsyncStore[Item, Filters]:
        return self._stores.make(kind(self._client, kinds.ask_async), first, page_size, remember)


class SyncLive(Live):
    """`client.live`: live data for threads.

    All that is live comes over one socket, open while something is subscribed to. Its event loop is
    in a thread of its own, begun when first needed.

    Args:
        client: whose data.
        key: the project's API key.
        storage: where stores remember what they show.
    """

    def __init__(self, client: Vintner, key: str, storage: Storage) -> None:
        super().__init__(Subscriptions(client.url, key, _ThreadTokens(client.auth)))
        self._client = client
        self._stores = Stores(client.url, storage, self._subscriptions.subscribe)
        self._thread = LoopThread()

    def jobs(
        self, *, show: JobFilter | None = None, page_size: int = 50, remember: str | None = None
    ) -> SyncStore[Job, JobFilter]:
        """A live store of jobs, the newest first; to be opened with `with`.

        Args:
            show: which jobs, unless others are remembered; all by default.
            page_size: how many each page brings.
            remember: a name under which the client's storage keeps the filter and the pages, so
                that they are as they were when the store is made again. By default they are not.

        Raises:
            InvalidInput: a page is to bring nothing.
        """
        return self._store(kinds.Jobs, show or JobFilter(), page_size, remember)

    def tendrils(
        self, *, show: TendrilFilter | None = None, page_size: int = 50, remember: str | None = None
    ) -> SyncStore[Tendril, TendrilFilter]:
        """A live store of Tendrils that are not removed, the oldest first; see `jobs`."""
        return self._store(kinds.Tendrils, show or TendrilFilter(), page_size, remember)

    def vineyards(
        self,
        *,
        show: VineyardFilter | None = None,
        page_size: int = 50,
        remember: str | None = None,
    ) -> SyncStore[VineyardWithVines, VineyardFilter]:
        """A live store of vineyards with their vines, the oldest first; see `jobs`."""
        return self._store(kinds.Vineyards, show or VineyardFilter(), page_size, remember)

    def _follow(
        self, jobs: SyncJobs, job_id: UUID, from_seq: int
    ) -> Generator[LogChunk, None, None]:
        """See `SyncJobs.follow_logs`."""
        chunks = follow(_ThreadJobReader(jobs), self._subscriptions, job_id, from_seq)
        return self._thread.iterate(chunks)

    def _close(self) -> None:
        """Closes every store and the socket, and ends the thread."""

        async def end() -> None:
            await self._stores.close()
            await self._subscriptions.close()

        self._thread.close(end)

    def _store(
        self,
        kind: type[Kind[Item, Filters]],
        first: Filters,
        page_size: int,
        remember: str | None,
    ) -> SyncStore[Item, Filters]:
        store = self._stores.make(kind(self._client, kinds.ask_sync), first, page_size, remember)
        return SyncStore(store, self._thread)


class _AsyncJobReader:
    def __init__(self, jobs: AsyncJobs) -> None:
        self._jobs = jobs

    async def get(self, job_id: UUID) -> Job:
        return await self._jobs.get(job_id)

    async def logs(self, job_id: UUID, from_seq: int) -> list[LogChunk]:
        return await self._jobs.logs(job_id, from_seq=from_seq).all()


class _ThreadJobReader:
    def __init__(self, jobs: SyncJobs) -> None:
        self._jobs = jobs

    async def get(self, job_id: UUID) -> Job:
        return await asyncio.to_thread(self._jobs.get, job_id)

    async def logs(self, job_id: UUID, from_seq: int) -> list[LogChunk]:
        return await asyncio.to_thread(self._jobs.logs(job_id, from_seq=from_seq).all)


class _ThreadTokens:
    def __init__(self, auth: SyncAuth) -> None:
        self._auth = auth

    @property
    def session(self) -> Session | None:
        return self._auth.session

    async def access_token(self, *, fresh: bool = False) -> str | None:
        return await asyncio.to_thread(self._auth.access_token, fresh=fresh)
