"""Jobs and their logs."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING
from uuid import UUID

from postgrest import AsyncSelectRequestBuilder, CountMethod

from vintner_client._resources._base import PAGE, Resource, as_uuid
from vintner_client._transport import Transport, parse, parse_all
from vintner_client.models import Job, LogChunk

if TYPE_CHECKING:
    from vintner_client._live.changes import Changes

WAIT_INTERVAL = 1.0


class Jobs(Resource):
    """`client.jobs`.

    Args:
        transport: the way to PostgREST.
        subscribe: opens a live subscription to changes of tables.
    """

    def __init__(self, transport: Transport, subscribe: Callable[..., Changes]) -> None:
        super().__init__(transport)
        self._subscribe = subscribe

    async def get(self, job_id: UUID | str, /) -> Job:
        """The job of an id.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(Job, "provision_jobs", job_id, "job")

    async def list(
        self, *, vine_id: UUID | str | None = None, limit: int | None = None
    ) -> builtins.list[Job]:
        """Jobs, the newest first.

        Args:
            vine_id: only those of this vine.
            limit: at most so many; all by default.
        """

        def query(builder: AsyncSelectRequestBuilder) -> AsyncSelectRequestBuilder:
            if vine_id is not None:
                builder = builder.eq("vine_id", str(as_uuid(vine_id)))
            return builder.order("created_at", desc=True).order("id")

        if limit is None:
            return await self._all(Job, "provision_jobs", query)
        builder = self._transport.table("provision_jobs").select("*")
        return parse_all(Job, (await query(builder).limit(limit).execute()).data)

    async def cancel(self, job_id: UUID | str, /) -> Job:
        """Cancels a job that has not started; asks the Tendril of a running one to stop.

        Raises:
            JobEnded: the job has ended already.
            NotFound: there is no such job that the caller may see.
        """
        return parse(Job, await self._transport.rpc("cancel_job", job_id=str(as_uuid(job_id))))

    async def logs(self, job_id: UUID | str, /, *, from_seq: int = 0) -> builtins.list[LogChunk]:
        """What a job has printed so far, in order.

        Args:
            job_id: the job.
            from_seq: the first chunk that is wanted; 0 for all.
        """
        chunks: builtins.list[LogChunk] = []
        while True:
            start = chunks[-1].seq + 1 if chunks else from_seq
            page = await (
                self._transport.table("provision_job_logs")
                .select("*", count=CountMethod.exact)
                .eq("job_id", str(as_uuid(job_id)))
                .gte("seq", start)
                .order("seq")
                .limit(PAGE)
                .execute()
            )
            chunks += parse_all(LogChunk, page.data)
            if not page.data or len(page.data) >= (page.count or 0):
                return chunks

    def follow_logs(
        self, job_id: UUID | str, /, *, from_seq: int = 0
    ) -> AsyncGenerator[LogChunk, None]:
        """A job's log as it grows: every chunk once, in order, until the job has ended.

        It is live over Realtime and falls back to asking every few seconds; it outlasts
        reconnects, token changes and a server that is away for up to a minute. Leave it early
        with `contextlib.aclosing`, which closes its socket at once.

        Args:
            job_id: the job.
            from_seq: the first chunk that is wanted; 0 for all.

        Raises:
            NotFound: there is no such job that the caller may see.
            ConnectionFailed: the server cannot be reached, for a minute once it had been.
        """
        from vintner_client._live.logs import follow

        return follow(self, self._subscribe, as_uuid(job_id), from_seq)

    async def wait(self, job_id: UUID | str, /) -> Job:
        """The job, once it has ended.

        Raises:
            NotFound: there is no such job that the caller may see.
        """
        while True:
            job = await self.get(job_id)
            if job.status.is_final:
                return job
            await asyncio.sleep(WAIT_INTERVAL)
