"""Jobs and their logs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from vintner_client._async.resources.base import AsyncResource
from vintner_client._async.rows import AsyncRows
from vintner_client._async.transport import AsyncTransport, new_idempotency_key
from vintner_client._concurrency.async_tools import async_sleep
from vintner_client._parsing import as_uuid, parse
from vintner_client._query import Query, equals
from vintner_client._retries import AWAY, Patience
from vintner_client.models import Job, JobStatus, JobType, LogChunk, WaitingOn
from vintner_client.models.jobs import Waiting

if TYPE_CHECKING:
    from vintner_client._async.client import AsyncVintner

Order = Literal["created_at", "-created_at"]

WAIT_INTERVAL = 1.0


class AsyncJobs(AsyncResource):
    """`client.jobs`.

    Args:
        transport: the way to PostgREST.
        client: whose live data is followed.
    """

    def __init__(self, transport: AsyncTransport, client: AsyncVintner) -> None:
        super().__init__(transport)
        self._client = client

    async def get(self, job_id: UUID | str, /) -> Job:
        """The job of an id.

        Args:
            job_id: the job.

        Raises:
            NotFound: there is none that the caller may see.
        """
        return await self._one(Job, "provision_jobs", job_id, "job")

    def list(
        self,
        *,
        vine_id: UUID | str | None = None,
        vineyard_id: UUID | str | None = None,
        status: JobStatus | Sequence[JobStatus] | None = None,
        job_type: JobType | Sequence[JobType] | None = None,
        order: Order = "-created_at",
    ) -> AsyncRows[Job]:
        """Jobs, the newest first.

        Args:
            vine_id: only those of this vine.
            vineyard_id: only those of this vineyard's vines.
            status: only those of this status, or of one of several.
            job_type: only those of this type, or of one of several.
            order: by time; a minus before it puts the newest first.
        """
        filters = equals(
            vine_id=vine_id and as_uuid(vine_id),
            vineyard_id=vineyard_id and as_uuid(vineyard_id),
            status=status,
            job_type=job_type,
        )
        return self._rows(Job, Query("provision_jobs", filters, (order, "id")))

    async def cancel(self, job_id: UUID | str, /, *, force: bool = False) -> Job:
        """Cancels a job that has not started; asks the Tendril of a running one to stop.

        Args:
            job_id: the job.
            force: end a job that was asked a minute ago and still runs. For admins; a DEPLOY or
                DESTROY leaves its vine FAILED, because resources may exist.

        Raises:
            JobEnded: the job has ended already.
            JobNotForceable: it was not asked yet, or not long ago.
            NotFound: there is no such job that the caller may see.
        """
        found = str(as_uuid(job_id))
        return parse(Job, await self._transport.rpc("cancel_job", job_id=found, force=force))

    async def retry(self, job_id: UUID | str, /, *, confirm: str | None = None) -> Job:
        """Queues a new job for the same as one that FAILED or was CANCELLED. For operators.

        Args:
            job_id: the job.
            confirm: the project name, repeated; needed to destroy a production vine.

        Raises:
            JobNotRetryable: it has not ended so.
            VineBusy: a job that changes the vine is unfinished.
        """
        answer = await self._transport.rpc(
            "retry_job",
            job_id=str(as_uuid(job_id)),
            idempotency_key=new_idempotency_key(),
            confirm_name=confirm,
        )
        return parse(Job, answer)

    async def approve(self, job_id: UUID | str, /) -> Job:
        """Lets a job run that waits for an approval.

        Args:
            job_id: the job.

        Raises:
            ApprovalNeedsAnother: the caller asked for the job, or for its PLAN.
            ApprovalNotWanted: it waits for none.
            PlanUnusable: its saved plan has expired or been overtaken.
            NotAllowed: the caller is no admin.
        """
        found = str(as_uuid(job_id))
        return parse(Job, await self._transport.rpc("approve_job", job_id=found))

    async def reject(self, job_id: UUID | str, /, *, reason: str) -> Job:
        """Cancels a job that waits for an approval, and says why. For admins.

        Args:
            job_id: the job.
            reason: why, for people, in 1 to 1,000 characters; the job's error message tells it.

        Raises:
            ApprovalNotWanted: it waits for none.
            NotAllowed: the caller is no admin.
        """
        found = str(as_uuid(job_id))
        return parse(Job, await self._transport.rpc("reject_job", job_id=found, reason=reason))

    async def waiting_on(self, job_id: UUID | str, /) -> WaitingOn | None:
        """What a queued job waits for; None once it is claimed.

        Args:
            job_id: the job.

        Raises:
            NotFound: there is no such job that the caller may see.
        """
        found = await self._one(Waiting, "provision_jobs", job_id, "job", "waiting_on")
        return found.waiting_on

    def logs(self, job_id: UUID | str, /, *, from_seq: int = 0) -> AsyncRows[LogChunk]:
        """What a job has printed so far, in order.

        Args:
            job_id: the job.
            from_seq: the first chunk that is wanted; 0 for all.
        """
        filters = (*equals(job_id=as_uuid(job_id)), ("seq", f"gte.{from_seq}"))
        return self._rows(LogChunk, Query("provision_job_logs", filters, ("seq",)))

    def follow_logs(
        self, job_id: UUID | str, /, *, from_seq: int = 0
    ) -> AsyncGenerator[LogChunk, None]:
        """A job's log as it grows: every chunk once, in order, until the job has ended.

        It is live over Realtime, and asks every five seconds besides; it outlasts reconnects, token
        changes and a server that is away for up to a minute. Who reads slowly loses nothing: what
        waits is dropped and fetched again. Leave it early with `contextlib.aclosing`, which ends
        its subscription at once.

        Args:
            job_id: the job.
            from_seq: the first chunk that is wanted; 0 for all.

        Raises:
            NotFound: there is no such job that the caller may see.
            ConnectionFailed: the server cannot be reached, for a minute once it had been.
            NotSignedIn: the session has ended.
        """
        return self._client.live._follow(self, as_uuid(job_id), from_seq)

    async def wait(self, job_id: UUID | str, /) -> Job:
        """The job, once it has ended; asks every second, also a server that is away for a minute.

        Args:
            job_id: the job.

        Raises:
            NotFound: there is no such job that the caller may see.
            ConnectionFailed: the server cannot be reached, for a minute once it had been.
        """
        patience = Patience()
        while True:
            try:
                job = await self.get(job_id)
            except AWAY:
                if patience.is_over():
                    raise
            else:
                patience.answered()
                if job.status.is_final:
                    return job
            await async_sleep(WAIT_INTERVAL)
