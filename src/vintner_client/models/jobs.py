"""Jobs, their logs, and what a Tendril is told of the one it holds."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from vintner_client.models.base import Record
from vintner_client.models.vocabulary import (
    EnvironmentStage,
    JobStatus,
    JobType,
    StreamType,
    WaitingOn,
)


class Job(Record):
    """One unit of work for a Tendril. `id` and `attempt` are the fence of the Tendril's reports."""

    id: UUID
    account_id: UUID
    user_id: UUID | None
    vineyard_id: UUID | None
    vine_id: UUID | None
    cloud_identity_id: UUID | None
    job_type: JobType
    status: JobStatus
    worker_id: UUID | None
    attempt: int
    error_message: str | None
    execution_metadata: dict[str, Any]
    plan_job_id: UUID | None
    approval_required: bool
    approved_by: UUID | None
    approved_at: AwareDatetime | None
    cancel_requested_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    claimed_at: AwareDatetime | None
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None


class Waiting(Record):
    """What a job waits for; None once it is claimed."""

    waiting_on: WaitingOn | None


class NewLogChunk(Record):
    """A chunk of a log, as a Tendril reports it. `seq` counts from 1 within the job."""

    seq: int
    log_chunk: str
    stream_type: StreamType


class LogChunk(NewLogChunk):
    """A chunk of a job's log."""

    job_id: UUID
    created_at: AwareDatetime


class Heartbeat(Record):
    """What the server answers a Tendril's sign of life."""

    interval_seconds: float
    lease_seconds: float
    cancel_job_ids: list[UUID]
    lost_job_ids: list[UUID]
    drain: bool = False
    newer_version: str | None = None


class ContextJob(Record):
    """The job within its context."""

    id: UUID
    job_type: JobType
    attempt: int


class ContextVine(Record):
    """The vine within a job's context, with the names that follow from it."""

    id: UUID
    project_name: str
    environment_stage: EnvironmentStage
    region: str
    terraform_version: str
    provider: str | None
    name_prefix: str
    state_path: str


class JobContext(Record):
    """All that a Tendril needs to run the job it holds; version 1 of the contract with templates.

    `credentials` are in clear.
    """

    version: int
    job: ContextJob
    vine: ContextVine
    components: dict[str, Any]
    credentials: dict[str, Any] = Field(repr=False)
    next_log_seq: int
