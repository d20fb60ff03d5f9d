"""How the two clients reach what is live: in the caller's event loop, or in a thread's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Protocol
from uuid import UUID
from weakref import WeakSet

from vintner_client._live.thread import LoopThread
from vintner_client.models import Job, LogChunk

if TYPE_CHECKING:
    from vintner_client._async.auth import AsyncAuth
    from vintner_client._async.resources.jobs import AsyncJobs
    from vintner_client._live.changes import Changes, Watch
    from vintner_client._sync.auth import SyncAuth
    from vintner_client._sync.resources.jobs import SyncJobs


class TokenSource(Protocol):
    """Who is asking, for the socket."""

    async def access_token(self) -> str | None: ...


class JobReader(Protocol):
    """What is asked for jobs and logs."""

    async def get(self, job_id: UUID) -> Job: ...

    async def logs(self, job_id: UUID, from_seq: int) -> list[LogChunk]: ...


class AsyncLive:
    """`client.live`: live data in the caller's event loop.

    Args:
        url: the project's URL.
        key: its API key.
        auth: whose token the sockets speak with.
    """

    def __init__(self, url: str, key: str, auth: AsyncAuth) -> None:
        self._subscriptions = Subscriptions(url, key, auth)

    def follow(
        self, jobs: AsyncJobs, job_id: UUID, from_seq: int
    ) -> AsyncGenerator[LogChunk, None]:
        """See `AsyncJobs.follow_logs`."""
        from vintner_client._live.logs import follow

        return follow(_AsyncJobReader(jobs), self._subscriptions.subscribe, job_id, from_seq)

    async def close(self) -> None:
        """Closes every socket."""
        await self._subscriptions.close()


class SyncLive:
    """`client.live`: live data for threads.

    The event loop is in a thread of its own, begun when first needed.

    Args:
        url: the project's URL.
        key: its API key.
        auth: whose token the sockets speak with.
    """

    def __init__(self, url: str, key: str, auth: SyncAuth) -> None:
        self._subscriptions = Subscriptions(url, key, _ThreadTokens(auth))
        self._thread = LoopThread()

    def follow(
        self, jobs: SyncJobs, job_id: UUID, from_seq: int
    ) -> Generator[LogChunk, None, None]:
        """See `SyncJobs.follow_logs`."""
        from vintner_client._live.logs import follow

        reader, subscribe = _ThreadJobReader(jobs), self._subscriptions.subscribe
        return self._thread.iterate(follow(reader, subscribe, job_id, from_seq))

    def close(self) -> None:
        """Closes every socket and ends the thread."""
        self._thread.close(self._subscriptions.close)


class Subscriptions:
    """The open sockets of one client.

    Args:
        url: the project's URL.
        key: its API key.
        tokens: whose token they speak with.
    """

    def __init__(self, url: str, key: str, tokens: TokenSource) -> None:
        self._url = url
        self._key = key
        self._tokens = tokens
        self._open: WeakSet[Changes] = WeakSet()

    def subscribe(self, *watches: Watch) -> Changes:
        """A subscription, to be entered."""
        from vintner_client._live.changes import Changes

        changes = Changes(self._url, self._key, self._tokens, watches)
        self._open.add(changes)
        return changes

    async def close(self) -> None:
        """Closes all that are open."""
        for changes in list(self._open):
            await changes.close()


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

    async def access_token(self) -> str | None:
        return await asyncio.to_thread(self._auth.access_token)
