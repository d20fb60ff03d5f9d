"""The rows and answers that this library hands out, named as in SQL.

Money is `Decimal` in US dollars, None while unknown; times carry their zone. Columns that a newer
database adds are passed over.
"""

from vintner_client.models.accounts import (
    Account,
    Invitation,
    Membership,
    NewInvitation,
)
from vintner_client.models.audit import (
    AuditEntry,
)
from vintner_client.models.base import (
    Record,
)
from vintner_client.models.components import (
    Cache,
    Cluster,
    Component,
    Components,
    ContainerRegistry,
    Database,
    Dns,
    ManagedComponent,
    NamedComponent,
    Network,
    NosqlTable,
    Queue,
    Repositories,
    Secret,
    Topic,
)
from vintner_client.models.filters import (
    JobFilter,
    TendrilFilter,
    VineyardFilter,
)
from vintner_client.models.jobs import (
    ContextJob,
    ContextVine,
    Heartbeat,
    Job,
    JobContext,
    LogChunk,
    NewLogChunk,
)
from vintner_client.models.tendrils import (
    RegisteredTendril,
    Tendril,
)
from vintner_client.models.vines import (
    CloudIdentity,
    Difference,
    Manifest,
    StateVersion,
    Vine,
    Vineyard,
    VineyardWithVines,
)
from vintner_client.models.vocabulary import (
    AccountRole,
    AuditAction,
    CacheEngine,
    ComponentStatus,
    EnvironmentStage,
    JobStatus,
    JobType,
    NosqlBillingMode,
    NosqlKeyType,
    NosqlTableType,
    RegistryTagMutability,
    StreamType,
    VineStatus,
    WaitingOn,
    WorkerMode,
    WorkerStatus,
)

__all__ = [
    "Account",
    "AccountRole",
    "AuditAction",
    "AuditEntry",
    "Cache",
    "CacheEngine",
    "CloudIdentity",
    "Cluster",
    "Component",
    "ComponentStatus",
    "Components",
    "ContainerRegistry",
    "ContextJob",
    "ContextVine",
    "Database",
    "Difference",
    "Dns",
    "EnvironmentStage",
    "Heartbeat",
    "Invitation",
    "Job",
    "JobContext",
    "JobFilter",
    "JobStatus",
    "JobType",
    "LogChunk",
    "ManagedComponent",
    "Manifest",
    "Membership",
    "NamedComponent",
    "Network",
    "NewInvitation",
    "NewLogChunk",
    "NosqlBillingMode",
    "NosqlKeyType",
    "NosqlTable",
    "NosqlTableType",
    "Queue",
    "Record",
    "RegisteredTendril",
    "RegistryTagMutability",
    "Repositories",
    "Secret",
    "StateVersion",
    "StreamType",
    "Tendril",
    "TendrilFilter",
    "Topic",
    "Vine",
    "VineStatus",
    "Vineyard",
    "VineyardFilter",
    "VineyardWithVines",
    "WaitingOn",
    "WorkerMode",
    "WorkerStatus",
]
