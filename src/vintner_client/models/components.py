"""What a vine is made of, a class a kind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from vintner_client.models.base import Record
from vintner_client.models.vocabulary import (
    CacheEngine,
    ComponentStatus,
    NosqlBillingMode,
    NosqlKeyType,
    NosqlTableType,
    RegistryTagMutability,
)


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

    engine: CacheEngine
    node_type: str
    num_cache_nodes: int
    multi_az: bool
    allowed_cidr_blocks: list[str]
    endpoint: str | None
    estimated_monthly_cost: Decimal | None


class NosqlTable(NamedComponent):
    """DynamoDB, Firestore or Cosmos DB table."""

    table_type: NosqlTableType
    hash_key: str
    hash_key_type: NosqlKeyType
    range_key: str | None
    range_key_type: NosqlKeyType | None
    billing_mode: NosqlBillingMode
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

    image_tag_mutability: RegistryTagMutability
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
