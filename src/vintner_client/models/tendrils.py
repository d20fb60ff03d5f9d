"""Workers."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, SecretStr

from vintner_client.models.base import Record
from vintner_client.models.vocabulary import WorkerMode, WorkerStatus


class Tendril(Record):
    """A registered worker."""

    id: UUID
    user_id: UUID
    name: str
    mode: WorkerMode
    status: WorkerStatus
    version: str | None
    last_heartbeat: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class RegisteredTendril(Record):
    """A new Tendril with its token, which is shown this once."""

    worker_id: UUID
    token: SecretStr
