"""Words of the database: states and the few closed lists of values."""

from __future__ import annotations

from enum import StrEnum


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


class CacheEngine(StrEnum):
    """What runs in a cache."""

    REDIS = "redis"
    VALKEY = "valkey"


class NosqlTableType(StrEnum):
    """Whose service holds a NoSQL table."""

    DYNAMODB = "dynamodb"
    FIRESTORE = "firestore"
    COSMOSDB = "cosmosdb"


class NosqlKeyType(StrEnum):
    """What a key of a NoSQL table is: text, number or bytes."""

    TEXT = "S"
    NUMBER = "N"
    BINARY = "B"


class NosqlBillingMode(StrEnum):
    """How a NoSQL table is paid for."""

    PAY_PER_REQUEST = "PAY_PER_REQUEST"
    PROVISIONED = "PROVISIONED"


class RegistryTagMutability(StrEnum):
    """Whether a tag of a container registry may be moved."""

    MUTABLE = "MUTABLE"
    IMMUTABLE = "IMMUTABLE"


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


class AccountRole(StrEnum):
    """What a member may do, each role including those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    OWNER = "owner"


class WaitingOn(StrEnum):
    """What a queued job waits for."""

    TENDRIL = "tendril"
    VINE = "vine"
    APPROVAL = "approval"
