"""Vineyards, cloud identities, vines, and the manifest that plants one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from vintner_client.errors import InvalidInput
from vintner_client.models.base import Record
from vintner_client.models.vocabulary import EnvironmentStage, VineStatus


class Vineyard(Record):
    """A workspace: a group of vines."""

    id: UUID
    account_id: UUID
    user_id: UUID | None
    name: str
    description: str | None
    requires_approval: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class CloudIdentity(Record):
    """A cloud account that vines are provisioned in; secrets in `credentials` are ciphertext."""

    id: UUID
    account_id: UUID
    user_id: UUID | None
    provider: str
    name: str
    credentials: dict[str, Any] = Field(repr=False)
    is_verified: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


class Vine(Record):
    """One infrastructure configuration."""

    id: UUID
    user_id: UUID | None
    vineyard_id: UUID
    cloud_identity_id: UUID | None
    project_name: str
    environment_stage: EnvironmentStage
    region: str
    terraform_version: str
    status: VineStatus
    estimated_monthly_cost: Decimal | None
    created_at: AwareDatetime
    updated_at: AwareDatetime

    @property
    def label(self) -> str:
        """Its name for people: `project/stage`."""
        return f"{self.project_name}/{self.environment_stage}"


class VineyardWithVines(Vineyard):
    """A vineyard with its vines, as live stores show it: the oldest vine first."""

    vines: tuple[Vine, ...]


class Manifest(BaseModel):
    """A vine with its components, as it is planted. What is unset takes the database's default.

    The components' columns are those of the tables `vine_*`; the database checks them.

    Raises:
        InvalidInput: a key is missing, unknown, or not of its type.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    vineyard_id: UUID
    cloud_identity_id: UUID | None = None
    project_name: str
    environment_stage: EnvironmentStage = EnvironmentStage.DEVELOPMENT
    region: str
    terraform_version: str | None = None
    network: Mapping[str, Any] | None = None
    cluster: Mapping[str, Any] | None = None
    dns: Mapping[str, Any] | None = None
    repositories: Mapping[str, Any] | None = None
    databases: Sequence[Mapping[str, Any]] = ()
    caches: Sequence[Mapping[str, Any]] = ()
    nosql_tables: Sequence[Mapping[str, Any]] = ()
    queues: Sequence[Mapping[str, Any]] = ()
    topics: Sequence[Mapping[str, Any]] = ()
    container_registries: Sequence[Mapping[str, Any]] = ()
    secrets: Sequence[Mapping[str, Any]] = ()

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, values: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return check(values)
        except ValidationError as error:
            found = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
            raise InvalidInput(
                f"The manifest is not as it has to be ({'; '.join(found)})."
            ) from error


class Difference(Record):
    """What applying a manifest changed, or would change: one entry a vineyard, vine or component.

    Each entry holds `type`, `vine` (as `project/stage`) and `name` where there is one; those of
    `change` hold `changes`, before and after by column.

    Attributes:
        create: what was not there.
        change: what differs.
        remove: what is there and left out.
        needs_destroy: vines left out whose resources may exist; they stay.
    """

    create: list[dict[str, Any]]
    change: list[dict[str, Any]]
    remove: list[dict[str, Any]]
    needs_destroy: list[dict[str, Any]]


class StateVersion(Record):
    """A version of a vine's Terraform state: what is known of it, never what is in it.

    Attributes:
        serial: Terraform's number of it.
        lineage: Terraform's name for the line of versions.
        size: bytes.
        sha256: of the text, in hexadecimal digits.
        job_id: the job that wrote it; None where a person did.
        user_id: the person who wrote it; None where a job did.
        created_at: when.
    """

    serial: int
    lineage: str
    size: int
    sha256: str
    job_id: UUID | None
    user_id: UUID | None
    created_at: AwareDatetime
