"""How the two clients reach what is live: in the caller's event loop, or in a thread's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING
from uuid import UUID

from vintner_client._live.logs import follow
from vintner_client._live.state import LiveState
from vintner_client._live.subscriptions import StateListener, Subscriptions
from vintner_client._live.thread import LoopThread
from vintner_client.errors import VintnerError
from vintner_client.models import Job, LogChunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from vintner_client._async.auth import AsyncAuth
    from vintner_client._async.resources.jobs import AsyncJobs
    from vintner_client._session import Session
    from vintner_client._sync.auth import SyncAuth
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

    def on_state_change(self, listener: StateListener) -> Callable[[], None]:
        """Has a function called with the state and the error whenever one of them changes.

        Args:
            listener: is called in the event loop, by the sync client in its thread, and must not
                block.

        Returns:
            What ends it.
        """
        return self._subscriptions.on_state_change(listener)


class AsyncLive(Live):
    """`client.live`: live data in the caller's event loop.

    All that is live comes over one socket, open while something is subscribed to.

    Args:
        url: the project's URL.
        key: its API key.
        auth: whose token the socket speaks with.
    """

    def __init__(self, url: str, key: str, auth: AsyncAuth) -> None:
        super().__init__(Subscriptions(url, key, auth))

    def _follow(
        self, jobs: AsyncJobs, job_id: UUID, from_seq: int
    ) -> AsyncGenerator[LogChunk, None]:
        """See `AsyncJobs.follow_logs`."""
        return follow(_AsyncJobReader(jobs), self._subscriptions, job_id, from_seq)

    async def _close(self) -> None:
        """Closes the socket."""
        await self._subscriptions.close()


class SyncLive(Live):
    """`client.live`: live data for threads.

    All that is live comes over one socket, open while something is subscribed to. Its event loop is
    in a thread of its own, begun when first needed.

    Args:
        url: the project's URL.
        key: its API key.
        auth: whose token the socket speaks with.
    """

    def __init__(self, url: str, key: str, auth: SyncAuth) -> None:
        super().__init__(Subscriptions(url, key, _ThreadTokens(auth)))
        self._thread = LoopThread()

    def _follow(
        self, jobs: SyncJobs, job_id: UUID, from_seq: int
    ) -> Generator[LogChunk, None, None]:
        """See `SyncJobs.follow_logs`."""
        chunks = follow(_ThreadJobReader(jobs), self._subscriptions, job_id, from_seq)
        return self._thread.iterate(chunks)

    def _close(self) -> None:
        """Closes the socket and ends the thread."""
        self._thread.close(self._subscriptions.close)


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

    async def access_token(self, fresh: bool = False) -> str | None:
        return await asyncio.to_thread(self._auth.access_token, fresh)
