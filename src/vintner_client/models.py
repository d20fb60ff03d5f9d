"""The rows and answers that this library hands out, named as in SQL.

Money is `Decimal` in US dollars, None while unknown; times carry their zone. Columns that a newer
database adds are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr


class EnvironmentStage(StrEnum):
    """What a vine is for."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class VineStatus(StrEnum):
    """Life cycle of a vine."""

    DRAFT = "DRAFT"
    QUEUED = "QUEUED"
    PROVISIONING = "PROVISIONING"
    ACTIVE = "ACTIVE"
    FAILED = "FAILED"
    DESTROYING = "DESTROYING"
    DESTROYED = "DESTROYED"


class ComponentStatus(StrEnum):
    """Life cycle of one component of a vine."""

    PENDING = "PENDING"
    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    FAILED = "FAILED"
    DESTROYING = "DESTROYING"
    DESTROYED = "DESTROYED"


class JobStatus(StrEnum):
    """Life cycle of a job."""

    QUEUED = "QUEUED"
    CLAIMED = "CLAIMED"
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether a job of this status has ended."""
        return self in (JobStatus.SUCCESS, JobStatus.FAILED, JobStatus.CANCELLED)


class JobType(StrEnum):
    """What a job does."""

    CONNECTION_TEST = "CONNECTION_TEST"
    FETCH_RESOURCES = "FETCH_RESOURCES"
    BOOTSTRAP = "BOOTSTRAP"
    PLAN = "PLAN"
    DEPLOY = "DEPLOY"
    DESTROY = "DESTROY"
    DEPLOY_WORKER = "DEPLOY_WORKER"
    DESTROY_WORKER = "DESTROY_WORKER"


class WorkerMode(StrEnum):
    """Whose machine a Tendril runs on."""

    SELF_HOSTED = "self-hosted"
    CLOUD_HOSTED = "cloud-hosted"


class WorkerStatus(StrEnum):
    """Whether a Tendril is heard of, and takes jobs."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    DRAINING = "DRAINING"


class StreamType(StrEnum):
    """Where a chunk of a log comes from: Terraform's two streams, or Vintner itself."""

    STDOUT = "STDOUT"
    STDERR = "STDERR"
    SYSTEM = "SYSTEM"


class AuditAction(StrEnum):
    """What an audit entry reports."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"
    PROVISIONED = "PROVISIONED"
    DESTROYED = "DESTROYED"
    REVEALED = "REVEALED"


class Record(BaseModel):
    """Base of all of them: read-only."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Vineyard(Record):
    """A workspace: a group of vines."""

    id: UUID
    account_id: UUID
    user_id: UUID | None
    name: str
    description: str | None
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


class Component(Record):
    """What all components of a vine have."""

    id: UUID
    vine_id: UUID


class ManagedComponent(Component):
    """A component that is a resource, with a life cycle of its own."""

    status: ComponentStatus


class NamedComponent(ManagedComponent):
    """A component of which a vine may have several."""

    name: str


class Network(ManagedComponent):
    """VPC, VNet or VPC network."""

    provision_network: bool
    network_id: str | None
    cidr_block: str
    single_nat_gateway: bool
    allowed_cidr_blocks: list[str]
    estimated_monthly_cost: Decimal | None


class Cluster(ManagedComponent):
    """EKS, GKE or AKS cluster."""

    cluster_version: str
    provider_config: dict[str, Any]
    cluster_admins: list[Any]
    instance_types: list[str]
    node_min_size: int
    node_max_size: int
    node_desired_size: int
    cluster_name: str | None
    cluster_endpoint: str | None
    cluster_arn: str | None
    argocd_url: str | None


class Dns(ManagedComponent):
    """Route53, Cloud DNS or Azure DNS."""

    enabled: bool
    zone_id: str | None
    domain_name: str | None
    managed_certificate: bool
    waf_enabled: bool
    provider_config: dict[str, Any]


class Repositories(Component):
    """The Git repositories of a vine; references, so without a status."""

    env_template_repo: str | None
    env_template_branch: str | None
    env_destination_repo: str | None
    gitops_template_repo: str | None
    gitops_template_branch: str | None
    gitops_destination_repo: str | None
    apps_template_repo: str | None
    apps_template_branch: str | None
    apps_destination_repo: str | None


class Database(NamedComponent):
    """Aurora, Cloud SQL or Azure database; capacities in ACU, retention in days."""

    engine: str
    engine_version: str
    min_capacity: Decimal
    max_capacity: Decimal
    port: int
    backup_retention_days: int
    iam_auth: bool
    endpoint: str | None
    reader_endpoint: str | None
    cluster_identifier: str | None
    master_credentials_secret_arn: str | None


class Cache(NamedComponent):
    """ElastiCache, Memorystore or Azure cache."""

    engine: str
    node_type: str
    num_cache_nodes: int
    multi_az: bool
    allowed_cidr_blocks: list[str]
    endpoint: str | None
    estimated_monthly_cost: Decimal | None


class NosqlTable(NamedComponent):
    """DynamoDB, Firestore or Cosmos DB table."""

    table_type: str
    hash_key: str
    hash_key_type: str
    range_key: str | None
    range_key_type: str | None
    billing_mode: str
    point_in_time_recovery: bool
    provider_config: dict[str, Any]


class Queue(NamedComponent):
    """SQS, Pub/Sub or Service Bus queue; times in seconds."""

    fifo: bool
    visibility_timeout: int
    message_retention: int
    delay_seconds: int


class Topic(NamedComponent):
    """SNS, Pub/Sub or Service Bus topic."""

    subscriptions: list[Any]


class ContainerRegistry(NamedComponent):
    """ECR, Artifact Registry or ACR repository."""

    image_tag_mutability: str
    scan_on_push: bool
    repository_url: str | None
    provider_config: dict[str, Any]


class Secret(NamedComponent):
    """An entry in a secret manager; what it holds is never here."""

    generate: bool
    length: int
    special_chars: bool


class Components(Record):
    """All components of a vine, by the keys of a manifest."""

    network: Network | None
    cluster: Cluster | None
    dns: Dns | None
    repositories: Repositories | None
    databases: list[Database]
    caches: list[Cache]
    nosql_tables: list[NosqlTable]
    queues: list[Queue]
    topics: list[Topic]
    container_registries: list[ContainerRegistry]
    secrets: list[Secret]


class Manifest(BaseModel):
    """A vine with its components, as it is planted. What is unset takes the database's default.

    The components' columns are those of the tables `vine_*`; the database checks them.
    """

    model_config = ConfigDict(extra="forbid")

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
    claimed_at: AwareDatetime | None
    started_at: AwareDatetime | None
    completed_at: AwareDatetime | None


class NewLogChunk(Record):
    """A chunk of a log, as a Tendril reports it. `seq` counts from 1 within the job."""

    seq: int
    log_chunk: str
    stream_type: StreamType


class LogChunk(NewLogChunk):
    """A chunk of a job's log."""

    job_id: UUID
    created_at: AwareDatetime


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


class RegisteredTendril(Record):
    """A new Tendril with its token, which is shown this once."""

    worker_id: UUID
    token: SecretStr


class AuditEntry(Record):
    """What happened to a vine or a component; `changes` holds before and after by column."""

    id: UUID
    account_id: UUID
    vine_id: UUID | None
    user_id: UUID | None
    action: AuditAction
    component_type: str
    component_id: UUID
    changes: dict[str, Any]
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
