# Made by scripts/generate_sync.py from src/vintner_client/_async/resources/lease.py: run `make sync`.
"""What a Tendril says about the job it holds. Every method is one function of the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from vintner_client._parsing import parse
from vintner_client._sync.auth import SyncAuth
from vintner_client._sync.resources.base import SyncResource
from vintner_client._sync.transport import SyncTransport
from vintner_client.models import (
    Heartbeat,
    Job,
    JobContext,
    JobStatus,
    NewLogChunk,
    WorkerStatus,
)


class SyncLease(SyncResource):
    """`client.lease`, for a client that is signed in as a Tendril.

    Methods that take a job show its id and attempt, the fence: they raise `LeaseLost` once the
    job is no longer this Tendril's.
    """

    def __init__(self, transport: SyncTransport, auth: SyncAuth) -> None:
        super().__init__(transport)
        self._auth = auth

    def heartbeat(
        self,
        *,
        version: str,
        status: WorkerStatus = WorkerStatus.ONLINE,
        running_job_ids: Iterable[UUID] = (),
    ) -> Heartbeat:
        """A sign of life that renews the leases of the jobs it names.

        Args:
            version: of the Tendril.
            status: ONLINE, or DRAINING to be given nothing more.
            running_job_ids: every job this process holds.

        Raises:
            NotAllowed: the caller is not a Tendril, or a removed one.
        """
        answer = self._transport.rpc(
            "heartbeat",
            version=version,
            status=status,
            running_job_ids=list(running_job_ids),
        )
        return parse(Heartbeat, answer)

    def claim_next_job(self) -> Job | None:
        """The oldest job that this Tendril may run, now its own; None if there is none.

        Raises:
            WorkerUnavailable: it is not ONLINE; it has to send a heartbeat first.
        """
        row = self._transport.rpc("claim_next_job", worker_id=str(self._auth.user_id))
        # PostgREST shows "no row" of a composite type as an object of nulls
        if row is None or (isinstance(row, dict) and row.get("id") is None):
            return None
        return parse(Job, row)

    def start_job(self, job: Job, /) -> Job:
        """Says that execution begins: CLAIMED to PROCESSING, and the vine with it.

        Args:
            job: the job, as it was claimed.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        return parse(Job, self._call("start_job", job))

    def context(self, job: Job, /) -> JobContext:
        """The job's vine with components and names, and the credentials in clear.

        Args:
            job: the job, as it was claimed.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        return parse(JobContext, self._call("get_job_context", job))

    def append_logs(self, job: Job, chunks: Iterable[NewLogChunk], /) -> int:
        """Appends to the job's log, passing over chunks it has; gives the next seq.

        Args:
            job: the job, as it was claimed.
            chunks: numbered from 1 in the order in which they were printed.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        rows = [
            chunk.model_dump(mode="json", include={"seq", "log_chunk", "stream_type"})
            for chunk in chunks
        ]
        return parse(int, self._call("append_job_logs", job, chunks=rows))

    def complete_job(
        self,
        job: Job,
        /,
        *,
        status: JobStatus,
        error_message: str | None = None,
        outputs: Mapping[str, Any] | None = None,
        execution_metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Ends the job, and moves its vine and components.

        Args:
            job: the job.
            status: SUCCESS, FAILED or CANCELLED.
            error_message: why it failed, for people.
            outputs: Terraform's outputs that are not sensitive, by component.
            execution_metadata: plan summary, timing and the like.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        answer = self._call(
            "complete_job",
            job,
            status=status,
            error_message=error_message,
            outputs=outputs,
            execution_metadata=execution_metadata,
        )
        return parse(Job, answer)

    def lock_state(self, job: Job, info: Mapping[str, Any], /) -> dict[str, Any] | None:
        """Takes the lock of the Terraform state.

        Args:
            job: the job.
            info: what Terraform sent to take it.

        Returns:
            None, or the info of the job that holds it.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        holder = self._call("lock_terraform_state", job, lock_info=info)
        return parse(dict[str, Any], holder) if holder else None

    def unlock_state(self, job: Job, lock_id: str | None, /) -> None:
        """Gives back the lock that this job took; None whatever its id.

        Args:
            job: the job, as it was claimed.
            lock_id: the id in what Terraform sent to take the lock.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        self._call("unlock_terraform_state", job, lock_id=lock_id)

    def get_state(self, job: Job, /) -> str | None:
        """The vine's Terraform state as it was stored, or None where there is none.

        Args:
            job: the job, as it was claimed.

        Raises:
            LeaseLost: the job is no longer this Tendril's.
        """
        state = self._call("get_terraform_state", job)
        return parse(str, state) if state else None

    def put_state(self, job: Job, state: str, lock_id: str, /) -> None:
        """Stores the vine's Terraform state.

        Args:
            job: the job, as it was claimed.
            state: the text of the state.
            lock_id: the id in what Terraform sent to take the lock.

        Raises:
            StateConflict: without the lock, of another lineage, or with an older serial.
            TooLarge: more than the database takes.
            LeaseLost: the job is no longer this Tendril's.
        """
        self._call("put_terraform_state", job, state=state, lock_id=lock_id)

    def _call(self, function: str, job: Job, **params: Any) -> Any:
        return self._transport.rpc(function, job_id=str(job.id), attempt=job.attempt, **params)
