from __future__ import annotations

import datetime
import uuid
from typing import (
    Annotated,
    Any,
    List,
    Literal,
    Optional,
    TypedDict,
)
from typing_extensions import NotRequired, TypeAlias

from pydantic import BaseModel, Field, JsonValue

AuthAalLevel: TypeAlias = Literal["aal1", "aal2", "aal3"]

PrivateJobWait: TypeAlias = Literal["approval", "vine", "tendril"]

PublicAccountRole: TypeAlias = Literal["viewer", "operator", "admin", "owner"]

PublicAuditAction: TypeAlias = Literal["CREATED", "UPDATED", "DELETED", "PROVISIONED", "DESTROYED", "REVEALED"]

PublicCacheEngine: TypeAlias = Literal["redis", "valkey"]

PublicComponentStatus: TypeAlias = Literal["PENDING", "CREATING", "ACTIVE", "UPDATING", "FAILED", "DESTROYING", "DESTROYED"]

PublicEnvironmentStage: TypeAlias = Literal["development", "staging", "production"]

PublicNosqlBillingMode: TypeAlias = Literal["PAY_PER_REQUEST", "PROVISIONED"]

PublicNosqlKeyType: TypeAlias = Literal["S", "N", "B"]

PublicNosqlTableType: TypeAlias = Literal["dynamodb", "firestore", "cosmosdb"]

PublicProvisionJobStatus: TypeAlias = Literal["QUEUED", "CLAIMED", "PROCESSING", "SUCCESS", "FAILED", "CANCELLED"]

PublicRegistryTagMutability: TypeAlias = Literal["MUTABLE", "IMMUTABLE"]

PublicVineStatus: TypeAlias = Literal["DRAFT", "QUEUED", "PROVISIONING", "ACTIVE", "FAILED", "DESTROYING", "DESTROYED"]

PublicWorkerMode: TypeAlias = Literal["self-hosted", "cloud-hosted"]

PublicWorkerStatus: TypeAlias = Literal["ONLINE", "OFFLINE", "DRAINING"]

class PublicAccounts(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    personal_user_id: Optional[uuid.UUID] = Field(alias="personal_user_id")
    updated_at: datetime.datetime = Field(alias="updated_at")

class PublicAccountsInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    personal_user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="personal_user_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]

class PublicAccountsUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    personal_user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="personal_user_id")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]

class PublicAccountsInvitations(BaseModel):
    accepted_at: Optional[datetime.datetime] = Field(alias="accepted_at")
    account_id: uuid.UUID = Field(alias="account_id")
    created_at: datetime.datetime = Field(alias="created_at")
    email: str = Field(alias="email")
    expires_at: datetime.datetime = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    invited_by: uuid.UUID = Field(alias="invited_by")
    role: PublicAccountRole = Field(alias="role")
    token_hash: str = Field(alias="token_hash")

class PublicAccountsInvitationsInsert(TypedDict):
    accepted_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="accepted_at")]]
    account_id: Annotated[uuid.UUID, Field(alias="account_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: Annotated[str, Field(alias="email")]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    invited_by: Annotated[uuid.UUID, Field(alias="invited_by")]
    role: Annotated[PublicAccountRole, Field(alias="role")]
    token_hash: Annotated[str, Field(alias="token_hash")]

class PublicAccountsInvitationsUpdate(TypedDict):
    accepted_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="accepted_at")]]
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[str, Field(alias="email")]]
    expires_at: NotRequired[Annotated[datetime.datetime, Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    invited_by: NotRequired[Annotated[uuid.UUID, Field(alias="invited_by")]]
    role: NotRequired[Annotated[PublicAccountRole, Field(alias="role")]]
    token_hash: NotRequired[Annotated[str, Field(alias="token_hash")]]

class PublicAccountsMemberships(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    created_at: datetime.datetime = Field(alias="created_at")
    role: PublicAccountRole = Field(alias="role")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicAccountsMembershipsInsert(TypedDict):
    account_id: Annotated[uuid.UUID, Field(alias="account_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    role: Annotated[PublicAccountRole, Field(alias="role")]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]

class PublicAccountsMembershipsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    role: NotRequired[Annotated[PublicAccountRole, Field(alias="role")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicCloudIdentities(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    created_at: datetime.datetime = Field(alias="created_at")
    credentials: JsonValue = Field(alias="credentials")
    credentials_version: int = Field(alias="credentials_version")
    id: uuid.UUID = Field(alias="id")
    is_verified: bool = Field(alias="is_verified")
    name: str = Field(alias="name")
    provider: str = Field(alias="provider")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")

class PublicCloudIdentitiesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    credentials: NotRequired[Annotated[JsonValue, Field(alias="credentials")]]
    credentials_version: NotRequired[Annotated[int, Field(alias="credentials_version")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_verified: NotRequired[Annotated[bool, Field(alias="is_verified")]]
    name: Annotated[str, Field(alias="name")]
    provider: Annotated[str, Field(alias="provider")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]

class PublicCloudIdentitiesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    credentials: NotRequired[Annotated[JsonValue, Field(alias="credentials")]]
    credentials_version: NotRequired[Annotated[int, Field(alias="credentials_version")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    is_verified: NotRequired[Annotated[bool, Field(alias="is_verified")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]

class PublicEnvironmentDefaults(BaseModel):
    component: str = Field(alias="component")
    environment_stage: PublicEnvironmentStage = Field(alias="environment_stage")
    settings: JsonValue = Field(alias="settings")

class PublicEnvironmentDefaultsInsert(TypedDict):
    component: Annotated[str, Field(alias="component")]
    environment_stage: Annotated[PublicEnvironmentStage, Field(alias="environment_stage")]
    settings: Annotated[JsonValue, Field(alias="settings")]

class PublicEnvironmentDefaultsUpdate(TypedDict):
    component: NotRequired[Annotated[str, Field(alias="component")]]
    environment_stage: NotRequired[Annotated[PublicEnvironmentStage, Field(alias="environment_stage")]]
    settings: NotRequired[Annotated[JsonValue, Field(alias="settings")]]

class PublicJobTypes(BaseModel):
    description: str = Field(alias="description")
    job_type: str = Field(alias="job_type")
    priority: int = Field(alias="priority")
    reads_only: bool = Field(alias="reads_only")
    timeout_seconds: int = Field(alias="timeout_seconds")

class PublicJobTypesInsert(TypedDict):
    description: Annotated[str, Field(alias="description")]
    job_type: Annotated[str, Field(alias="job_type")]
    priority: Annotated[int, Field(alias="priority")]
    reads_only: Annotated[bool, Field(alias="reads_only")]
    timeout_seconds: Annotated[int, Field(alias="timeout_seconds")]

class PublicJobTypesUpdate(TypedDict):
    description: NotRequired[Annotated[str, Field(alias="description")]]
    job_type: NotRequired[Annotated[str, Field(alias="job_type")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    reads_only: NotRequired[Annotated[bool, Field(alias="reads_only")]]
    timeout_seconds: NotRequired[Annotated[int, Field(alias="timeout_seconds")]]

class PublicProviderTokens(BaseModel):
    access_token: str = Field(alias="access_token")
    expires_at: Optional[datetime.datetime] = Field(alias="expires_at")
    id: uuid.UUID = Field(alias="id")
    provider: str = Field(alias="provider")
    refresh_token: Optional[str] = Field(alias="refresh_token")
    user_id: uuid.UUID = Field(alias="user_id")

class PublicProviderTokensInsert(TypedDict):
    access_token: Annotated[str, Field(alias="access_token")]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    provider: Annotated[str, Field(alias="provider")]
    refresh_token: NotRequired[Annotated[Optional[str], Field(alias="refresh_token")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicProviderTokensUpdate(TypedDict):
    access_token: NotRequired[Annotated[str, Field(alias="access_token")]]
    expires_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="expires_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    provider: NotRequired[Annotated[str, Field(alias="provider")]]
    refresh_token: NotRequired[Annotated[Optional[str], Field(alias="refresh_token")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]

class PublicProvisionJobLogs(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    job_id: uuid.UUID = Field(alias="job_id")
    log_chunk: str = Field(alias="log_chunk")
    seq: int = Field(alias="seq")
    stream_type: str = Field(alias="stream_type")

class PublicProvisionJobLogsInsert(TypedDict):
    account_id: Annotated[uuid.UUID, Field(alias="account_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    job_id: Annotated[uuid.UUID, Field(alias="job_id")]
    log_chunk: Annotated[str, Field(alias="log_chunk")]
    seq: Annotated[int, Field(alias="seq")]
    stream_type: Annotated[str, Field(alias="stream_type")]

class PublicProvisionJobLogsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    job_id: NotRequired[Annotated[uuid.UUID, Field(alias="job_id")]]
    log_chunk: NotRequired[Annotated[str, Field(alias="log_chunk")]]
    seq: NotRequired[Annotated[int, Field(alias="seq")]]
    stream_type: NotRequired[Annotated[str, Field(alias="stream_type")]]

class PublicProvisionJobs(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    approval_required: bool = Field(alias="approval_required")
    approved_at: Optional[datetime.datetime] = Field(alias="approved_at")
    approved_by: Optional[uuid.UUID] = Field(alias="approved_by")
    attempt: int = Field(alias="attempt")
    cancel_requested_at: Optional[datetime.datetime] = Field(alias="cancel_requested_at")
    claimed_at: Optional[datetime.datetime] = Field(alias="claimed_at")
    cloud_identity_id: Optional[uuid.UUID] = Field(alias="cloud_identity_id")
    completed_at: Optional[datetime.datetime] = Field(alias="completed_at")
    context_sha256: Optional[str] = Field(alias="context_sha256")
    created_at: datetime.datetime = Field(alias="created_at")
    deadline: Optional[datetime.datetime] = Field(alias="deadline")
    error_message: Optional[str] = Field(alias="error_message")
    execution_metadata: JsonValue = Field(alias="execution_metadata")
    id: uuid.UUID = Field(alias="id")
    idempotency_key: Optional[str] = Field(alias="idempotency_key")
    job_type: str = Field(alias="job_type")
    plan_job_id: Optional[uuid.UUID] = Field(alias="plan_job_id")
    priority: int = Field(alias="priority")
    started_at: Optional[datetime.datetime] = Field(alias="started_at")
    status: PublicProvisionJobStatus = Field(alias="status")
    timeout_seconds: int = Field(alias="timeout_seconds")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")
    vine_id: Optional[uuid.UUID] = Field(alias="vine_id")
    vine_status_before: Optional[PublicVineStatus] = Field(alias="vine_status_before")
    vineyard_id: Optional[uuid.UUID] = Field(alias="vineyard_id")
    worker_id: Optional[uuid.UUID] = Field(alias="worker_id")

class PublicProvisionJobsInsert(TypedDict):
    account_id: Annotated[uuid.UUID, Field(alias="account_id")]
    approval_required: NotRequired[Annotated[bool, Field(alias="approval_required")]]
    approved_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="approved_at")]]
    approved_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="approved_by")]]
    attempt: NotRequired[Annotated[int, Field(alias="attempt")]]
    cancel_requested_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancel_requested_at")]]
    claimed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="claimed_at")]]
    cloud_identity_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="cloud_identity_id")]]
    completed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="completed_at")]]
    context_sha256: NotRequired[Annotated[Optional[str], Field(alias="context_sha256")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    deadline: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="deadline")]]
    error_message: NotRequired[Annotated[Optional[str], Field(alias="error_message")]]
    execution_metadata: NotRequired[Annotated[JsonValue, Field(alias="execution_metadata")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    idempotency_key: NotRequired[Annotated[Optional[str], Field(alias="idempotency_key")]]
    job_type: Annotated[str, Field(alias="job_type")]
    plan_job_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="plan_job_id")]]
    priority: Annotated[int, Field(alias="priority")]
    started_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="started_at")]]
    status: NotRequired[Annotated[PublicProvisionJobStatus, Field(alias="status")]]
    timeout_seconds: Annotated[int, Field(alias="timeout_seconds")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    vine_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vine_id")]]
    vine_status_before: NotRequired[Annotated[Optional[PublicVineStatus], Field(alias="vine_status_before")]]
    vineyard_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vineyard_id")]]
    worker_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="worker_id")]]

class PublicProvisionJobsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    approval_required: NotRequired[Annotated[bool, Field(alias="approval_required")]]
    approved_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="approved_at")]]
    approved_by: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="approved_by")]]
    attempt: NotRequired[Annotated[int, Field(alias="attempt")]]
    cancel_requested_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="cancel_requested_at")]]
    claimed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="claimed_at")]]
    cloud_identity_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="cloud_identity_id")]]
    completed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="completed_at")]]
    context_sha256: NotRequired[Annotated[Optional[str], Field(alias="context_sha256")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    deadline: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="deadline")]]
    error_message: NotRequired[Annotated[Optional[str], Field(alias="error_message")]]
    execution_metadata: NotRequired[Annotated[JsonValue, Field(alias="execution_metadata")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    idempotency_key: NotRequired[Annotated[Optional[str], Field(alias="idempotency_key")]]
    job_type: NotRequired[Annotated[str, Field(alias="job_type")]]
    plan_job_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="plan_job_id")]]
    priority: NotRequired[Annotated[int, Field(alias="priority")]]
    started_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="started_at")]]
    status: NotRequired[Annotated[PublicProvisionJobStatus, Field(alias="status")]]
    timeout_seconds: NotRequired[Annotated[int, Field(alias="timeout_seconds")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    vine_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vine_id")]]
    vine_status_before: NotRequired[Annotated[Optional[PublicVineStatus], Field(alias="vine_status_before")]]
    vineyard_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vineyard_id")]]
    worker_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="worker_id")]]

class PublicUsers(BaseModel):
    auth_user_id: uuid.UUID = Field(alias="auth_user_id")
    created_at: datetime.datetime = Field(alias="created_at")
    email: Optional[str] = Field(alias="email")
    first_name: Optional[str] = Field(alias="first_name")
    id: int = Field(alias="id")
    last_name: Optional[str] = Field(alias="last_name")

class PublicUsersInsert(TypedDict):
    auth_user_id: Annotated[uuid.UUID, Field(alias="auth_user_id")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    first_name: NotRequired[Annotated[Optional[str], Field(alias="first_name")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    last_name: NotRequired[Annotated[Optional[str], Field(alias="last_name")]]

class PublicUsersUpdate(TypedDict):
    auth_user_id: NotRequired[Annotated[uuid.UUID, Field(alias="auth_user_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    email: NotRequired[Annotated[Optional[str], Field(alias="email")]]
    first_name: NotRequired[Annotated[Optional[str], Field(alias="first_name")]]
    id: NotRequired[Annotated[int, Field(alias="id")]]
    last_name: NotRequired[Annotated[Optional[str], Field(alias="last_name")]]

class PublicVineAuditLog(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    action: PublicAuditAction = Field(alias="action")
    changes: JsonValue = Field(alias="changes")
    component_id: uuid.UUID = Field(alias="component_id")
    component_type: str = Field(alias="component_type")
    created_at: datetime.datetime = Field(alias="created_at")
    id: uuid.UUID = Field(alias="id")
    seq: int = Field(alias="seq")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")
    user_ref: Optional[uuid.UUID] = Field(alias="user_ref")
    vine_id: Optional[uuid.UUID] = Field(alias="vine_id")
    vine_ref: Optional[uuid.UUID] = Field(alias="vine_ref")

class PublicVineAuditLogInsert(TypedDict):
    account_id: Annotated[uuid.UUID, Field(alias="account_id")]
    action: Annotated[PublicAuditAction, Field(alias="action")]
    changes: NotRequired[Annotated[JsonValue, Field(alias="changes")]]
    component_id: Annotated[uuid.UUID, Field(alias="component_id")]
    component_type: Annotated[str, Field(alias="component_type")]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    seq: NotRequired[Annotated[int, Field(alias="seq")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    user_ref: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_ref")]]
    vine_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vine_id")]]
    vine_ref: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vine_ref")]]

class PublicVineAuditLogUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    action: NotRequired[Annotated[PublicAuditAction, Field(alias="action")]]
    changes: NotRequired[Annotated[JsonValue, Field(alias="changes")]]
    component_id: NotRequired[Annotated[uuid.UUID, Field(alias="component_id")]]
    component_type: NotRequired[Annotated[str, Field(alias="component_type")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    seq: NotRequired[Annotated[int, Field(alias="seq")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    user_ref: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_ref")]]
    vine_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vine_id")]]
    vine_ref: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="vine_ref")]]

class PublicVineCaches(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    allowed_cidr_blocks: List[str] = Field(alias="allowed_cidr_blocks")
    endpoint: Optional[str] = Field(alias="endpoint")
    engine: PublicCacheEngine = Field(alias="engine")
    estimated_monthly_cost: Optional[float] = Field(alias="estimated_monthly_cost")
    id: uuid.UUID = Field(alias="id")
    multi_az: bool = Field(alias="multi_az")
    name: str = Field(alias="name")
    node_type: str = Field(alias="node_type")
    num_cache_nodes: int = Field(alias="num_cache_nodes")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineCachesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    allowed_cidr_blocks: NotRequired[Annotated[List[str], Field(alias="allowed_cidr_blocks")]]
    endpoint: NotRequired[Annotated[Optional[str], Field(alias="endpoint")]]
    engine: NotRequired[Annotated[PublicCacheEngine, Field(alias="engine")]]
    estimated_monthly_cost: NotRequired[Annotated[Optional[float], Field(alias="estimated_monthly_cost")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    multi_az: NotRequired[Annotated[bool, Field(alias="multi_az")]]
    name: Annotated[str, Field(alias="name")]
    node_type: NotRequired[Annotated[str, Field(alias="node_type")]]
    num_cache_nodes: NotRequired[Annotated[int, Field(alias="num_cache_nodes")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineCachesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    allowed_cidr_blocks: NotRequired[Annotated[List[str], Field(alias="allowed_cidr_blocks")]]
    endpoint: NotRequired[Annotated[Optional[str], Field(alias="endpoint")]]
    engine: NotRequired[Annotated[PublicCacheEngine, Field(alias="engine")]]
    estimated_monthly_cost: NotRequired[Annotated[Optional[float], Field(alias="estimated_monthly_cost")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    multi_az: NotRequired[Annotated[bool, Field(alias="multi_az")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    node_type: NotRequired[Annotated[str, Field(alias="node_type")]]
    num_cache_nodes: NotRequired[Annotated[int, Field(alias="num_cache_nodes")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineCluster(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    argocd_admin_password: Optional[str] = Field(alias="argocd_admin_password")
    argocd_url: Optional[str] = Field(alias="argocd_url")
    cluster_admins: JsonValue = Field(alias="cluster_admins")
    cluster_arn: Optional[str] = Field(alias="cluster_arn")
    cluster_endpoint: Optional[str] = Field(alias="cluster_endpoint")
    cluster_name: Optional[str] = Field(alias="cluster_name")
    cluster_version: str = Field(alias="cluster_version")
    id: uuid.UUID = Field(alias="id")
    instance_types: List[str] = Field(alias="instance_types")
    node_desired_size: int = Field(alias="node_desired_size")
    node_max_size: int = Field(alias="node_max_size")
    node_min_size: int = Field(alias="node_min_size")
    provider_config: JsonValue = Field(alias="provider_config")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineClusterInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    argocd_admin_password: NotRequired[Annotated[Optional[str], Field(alias="argocd_admin_password")]]
    argocd_url: NotRequired[Annotated[Optional[str], Field(alias="argocd_url")]]
    cluster_admins: NotRequired[Annotated[JsonValue, Field(alias="cluster_admins")]]
    cluster_arn: NotRequired[Annotated[Optional[str], Field(alias="cluster_arn")]]
    cluster_endpoint: NotRequired[Annotated[Optional[str], Field(alias="cluster_endpoint")]]
    cluster_name: NotRequired[Annotated[Optional[str], Field(alias="cluster_name")]]
    cluster_version: NotRequired[Annotated[str, Field(alias="cluster_version")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    instance_types: NotRequired[Annotated[List[str], Field(alias="instance_types")]]
    node_desired_size: NotRequired[Annotated[int, Field(alias="node_desired_size")]]
    node_max_size: NotRequired[Annotated[int, Field(alias="node_max_size")]]
    node_min_size: NotRequired[Annotated[int, Field(alias="node_min_size")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineClusterUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    argocd_admin_password: NotRequired[Annotated[Optional[str], Field(alias="argocd_admin_password")]]
    argocd_url: NotRequired[Annotated[Optional[str], Field(alias="argocd_url")]]
    cluster_admins: NotRequired[Annotated[JsonValue, Field(alias="cluster_admins")]]
    cluster_arn: NotRequired[Annotated[Optional[str], Field(alias="cluster_arn")]]
    cluster_endpoint: NotRequired[Annotated[Optional[str], Field(alias="cluster_endpoint")]]
    cluster_name: NotRequired[Annotated[Optional[str], Field(alias="cluster_name")]]
    cluster_version: NotRequired[Annotated[str, Field(alias="cluster_version")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    instance_types: NotRequired[Annotated[List[str], Field(alias="instance_types")]]
    node_desired_size: NotRequired[Annotated[int, Field(alias="node_desired_size")]]
    node_max_size: NotRequired[Annotated[int, Field(alias="node_max_size")]]
    node_min_size: NotRequired[Annotated[int, Field(alias="node_min_size")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineContainerRegistries(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    id: uuid.UUID = Field(alias="id")
    image_tag_mutability: PublicRegistryTagMutability = Field(alias="image_tag_mutability")
    name: str = Field(alias="name")
    provider_config: JsonValue = Field(alias="provider_config")
    repository_url: Optional[str] = Field(alias="repository_url")
    scan_on_push: bool = Field(alias="scan_on_push")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineContainerRegistriesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    image_tag_mutability: NotRequired[Annotated[PublicRegistryTagMutability, Field(alias="image_tag_mutability")]]
    name: Annotated[str, Field(alias="name")]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    repository_url: NotRequired[Annotated[Optional[str], Field(alias="repository_url")]]
    scan_on_push: NotRequired[Annotated[bool, Field(alias="scan_on_push")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineContainerRegistriesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    image_tag_mutability: NotRequired[Annotated[PublicRegistryTagMutability, Field(alias="image_tag_mutability")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    repository_url: NotRequired[Annotated[Optional[str], Field(alias="repository_url")]]
    scan_on_push: NotRequired[Annotated[bool, Field(alias="scan_on_push")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineDatabases(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    backup_retention_days: int = Field(alias="backup_retention_days")
    cluster_identifier: Optional[str] = Field(alias="cluster_identifier")
    endpoint: Optional[str] = Field(alias="endpoint")
    engine: str = Field(alias="engine")
    engine_version: str = Field(alias="engine_version")
    iam_auth: bool = Field(alias="iam_auth")
    id: uuid.UUID = Field(alias="id")
    master_credentials_secret_arn: Optional[str] = Field(alias="master_credentials_secret_arn")
    max_capacity: float = Field(alias="max_capacity")
    min_capacity: float = Field(alias="min_capacity")
    name: str = Field(alias="name")
    port: int = Field(alias="port")
    reader_endpoint: Optional[str] = Field(alias="reader_endpoint")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineDatabasesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    backup_retention_days: NotRequired[Annotated[int, Field(alias="backup_retention_days")]]
    cluster_identifier: NotRequired[Annotated[Optional[str], Field(alias="cluster_identifier")]]
    endpoint: NotRequired[Annotated[Optional[str], Field(alias="endpoint")]]
    engine: NotRequired[Annotated[str, Field(alias="engine")]]
    engine_version: NotRequired[Annotated[str, Field(alias="engine_version")]]
    iam_auth: NotRequired[Annotated[bool, Field(alias="iam_auth")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    master_credentials_secret_arn: NotRequired[Annotated[Optional[str], Field(alias="master_credentials_secret_arn")]]
    max_capacity: NotRequired[Annotated[float, Field(alias="max_capacity")]]
    min_capacity: NotRequired[Annotated[float, Field(alias="min_capacity")]]
    name: Annotated[str, Field(alias="name")]
    port: NotRequired[Annotated[int, Field(alias="port")]]
    reader_endpoint: NotRequired[Annotated[Optional[str], Field(alias="reader_endpoint")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineDatabasesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    backup_retention_days: NotRequired[Annotated[int, Field(alias="backup_retention_days")]]
    cluster_identifier: NotRequired[Annotated[Optional[str], Field(alias="cluster_identifier")]]
    endpoint: NotRequired[Annotated[Optional[str], Field(alias="endpoint")]]
    engine: NotRequired[Annotated[str, Field(alias="engine")]]
    engine_version: NotRequired[Annotated[str, Field(alias="engine_version")]]
    iam_auth: NotRequired[Annotated[bool, Field(alias="iam_auth")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    master_credentials_secret_arn: NotRequired[Annotated[Optional[str], Field(alias="master_credentials_secret_arn")]]
    max_capacity: NotRequired[Annotated[float, Field(alias="max_capacity")]]
    min_capacity: NotRequired[Annotated[float, Field(alias="min_capacity")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    port: NotRequired[Annotated[int, Field(alias="port")]]
    reader_endpoint: NotRequired[Annotated[Optional[str], Field(alias="reader_endpoint")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineDns(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    domain_name: Optional[str] = Field(alias="domain_name")
    enabled: bool = Field(alias="enabled")
    id: uuid.UUID = Field(alias="id")
    managed_certificate: bool = Field(alias="managed_certificate")
    provider_config: JsonValue = Field(alias="provider_config")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")
    waf_enabled: bool = Field(alias="waf_enabled")
    zone_id: Optional[str] = Field(alias="zone_id")

class PublicVineDnsInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    domain_name: NotRequired[Annotated[Optional[str], Field(alias="domain_name")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    managed_certificate: NotRequired[Annotated[bool, Field(alias="managed_certificate")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]
    waf_enabled: NotRequired[Annotated[bool, Field(alias="waf_enabled")]]
    zone_id: NotRequired[Annotated[Optional[str], Field(alias="zone_id")]]

class PublicVineDnsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    domain_name: NotRequired[Annotated[Optional[str], Field(alias="domain_name")]]
    enabled: NotRequired[Annotated[bool, Field(alias="enabled")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    managed_certificate: NotRequired[Annotated[bool, Field(alias="managed_certificate")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]
    waf_enabled: NotRequired[Annotated[bool, Field(alias="waf_enabled")]]
    zone_id: NotRequired[Annotated[Optional[str], Field(alias="zone_id")]]

class PublicVineNetwork(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    allowed_cidr_blocks: List[str] = Field(alias="allowed_cidr_blocks")
    cidr_block: str = Field(alias="cidr_block")
    estimated_monthly_cost: Optional[float] = Field(alias="estimated_monthly_cost")
    id: uuid.UUID = Field(alias="id")
    network_id: Optional[str] = Field(alias="network_id")
    provision_network: bool = Field(alias="provision_network")
    single_nat_gateway: bool = Field(alias="single_nat_gateway")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineNetworkInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    allowed_cidr_blocks: NotRequired[Annotated[List[str], Field(alias="allowed_cidr_blocks")]]
    cidr_block: NotRequired[Annotated[str, Field(alias="cidr_block")]]
    estimated_monthly_cost: NotRequired[Annotated[Optional[float], Field(alias="estimated_monthly_cost")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    network_id: NotRequired[Annotated[Optional[str], Field(alias="network_id")]]
    provision_network: NotRequired[Annotated[bool, Field(alias="provision_network")]]
    single_nat_gateway: NotRequired[Annotated[bool, Field(alias="single_nat_gateway")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineNetworkUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    allowed_cidr_blocks: NotRequired[Annotated[List[str], Field(alias="allowed_cidr_blocks")]]
    cidr_block: NotRequired[Annotated[str, Field(alias="cidr_block")]]
    estimated_monthly_cost: NotRequired[Annotated[Optional[float], Field(alias="estimated_monthly_cost")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    network_id: NotRequired[Annotated[Optional[str], Field(alias="network_id")]]
    provision_network: NotRequired[Annotated[bool, Field(alias="provision_network")]]
    single_nat_gateway: NotRequired[Annotated[bool, Field(alias="single_nat_gateway")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineNosqlTables(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    billing_mode: PublicNosqlBillingMode = Field(alias="billing_mode")
    hash_key: str = Field(alias="hash_key")
    hash_key_type: PublicNosqlKeyType = Field(alias="hash_key_type")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    point_in_time_recovery: bool = Field(alias="point_in_time_recovery")
    provider_config: JsonValue = Field(alias="provider_config")
    range_key: Optional[str] = Field(alias="range_key")
    range_key_type: Optional[PublicNosqlKeyType] = Field(alias="range_key_type")
    status: PublicComponentStatus = Field(alias="status")
    table_type: PublicNosqlTableType = Field(alias="table_type")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineNosqlTablesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    billing_mode: NotRequired[Annotated[PublicNosqlBillingMode, Field(alias="billing_mode")]]
    hash_key: Annotated[str, Field(alias="hash_key")]
    hash_key_type: NotRequired[Annotated[PublicNosqlKeyType, Field(alias="hash_key_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    point_in_time_recovery: NotRequired[Annotated[bool, Field(alias="point_in_time_recovery")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    range_key: NotRequired[Annotated[Optional[str], Field(alias="range_key")]]
    range_key_type: NotRequired[Annotated[Optional[PublicNosqlKeyType], Field(alias="range_key_type")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    table_type: NotRequired[Annotated[PublicNosqlTableType, Field(alias="table_type")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineNosqlTablesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    billing_mode: NotRequired[Annotated[PublicNosqlBillingMode, Field(alias="billing_mode")]]
    hash_key: NotRequired[Annotated[str, Field(alias="hash_key")]]
    hash_key_type: NotRequired[Annotated[PublicNosqlKeyType, Field(alias="hash_key_type")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    point_in_time_recovery: NotRequired[Annotated[bool, Field(alias="point_in_time_recovery")]]
    provider_config: NotRequired[Annotated[JsonValue, Field(alias="provider_config")]]
    range_key: NotRequired[Annotated[Optional[str], Field(alias="range_key")]]
    range_key_type: NotRequired[Annotated[Optional[PublicNosqlKeyType], Field(alias="range_key_type")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    table_type: NotRequired[Annotated[PublicNosqlTableType, Field(alias="table_type")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineQueues(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    delay_seconds: int = Field(alias="delay_seconds")
    fifo: bool = Field(alias="fifo")
    id: uuid.UUID = Field(alias="id")
    message_retention: int = Field(alias="message_retention")
    name: str = Field(alias="name")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")
    visibility_timeout: int = Field(alias="visibility_timeout")

class PublicVineQueuesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    delay_seconds: NotRequired[Annotated[int, Field(alias="delay_seconds")]]
    fifo: NotRequired[Annotated[bool, Field(alias="fifo")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    message_retention: NotRequired[Annotated[int, Field(alias="message_retention")]]
    name: Annotated[str, Field(alias="name")]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]
    visibility_timeout: NotRequired[Annotated[int, Field(alias="visibility_timeout")]]

class PublicVineQueuesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    delay_seconds: NotRequired[Annotated[int, Field(alias="delay_seconds")]]
    fifo: NotRequired[Annotated[bool, Field(alias="fifo")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    message_retention: NotRequired[Annotated[int, Field(alias="message_retention")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]
    visibility_timeout: NotRequired[Annotated[int, Field(alias="visibility_timeout")]]

class PublicVineRepositories(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    apps_destination_repo: Optional[str] = Field(alias="apps_destination_repo")
    apps_template_branch: Optional[str] = Field(alias="apps_template_branch")
    apps_template_repo: Optional[str] = Field(alias="apps_template_repo")
    env_destination_repo: Optional[str] = Field(alias="env_destination_repo")
    env_template_branch: Optional[str] = Field(alias="env_template_branch")
    env_template_repo: Optional[str] = Field(alias="env_template_repo")
    gitops_destination_repo: Optional[str] = Field(alias="gitops_destination_repo")
    gitops_template_branch: Optional[str] = Field(alias="gitops_template_branch")
    gitops_template_repo: Optional[str] = Field(alias="gitops_template_repo")
    id: uuid.UUID = Field(alias="id")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineRepositoriesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    apps_destination_repo: NotRequired[Annotated[Optional[str], Field(alias="apps_destination_repo")]]
    apps_template_branch: NotRequired[Annotated[Optional[str], Field(alias="apps_template_branch")]]
    apps_template_repo: NotRequired[Annotated[Optional[str], Field(alias="apps_template_repo")]]
    env_destination_repo: NotRequired[Annotated[Optional[str], Field(alias="env_destination_repo")]]
    env_template_branch: NotRequired[Annotated[Optional[str], Field(alias="env_template_branch")]]
    env_template_repo: NotRequired[Annotated[Optional[str], Field(alias="env_template_repo")]]
    gitops_destination_repo: NotRequired[Annotated[Optional[str], Field(alias="gitops_destination_repo")]]
    gitops_template_branch: NotRequired[Annotated[Optional[str], Field(alias="gitops_template_branch")]]
    gitops_template_repo: NotRequired[Annotated[Optional[str], Field(alias="gitops_template_repo")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineRepositoriesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    apps_destination_repo: NotRequired[Annotated[Optional[str], Field(alias="apps_destination_repo")]]
    apps_template_branch: NotRequired[Annotated[Optional[str], Field(alias="apps_template_branch")]]
    apps_template_repo: NotRequired[Annotated[Optional[str], Field(alias="apps_template_repo")]]
    env_destination_repo: NotRequired[Annotated[Optional[str], Field(alias="env_destination_repo")]]
    env_template_branch: NotRequired[Annotated[Optional[str], Field(alias="env_template_branch")]]
    env_template_repo: NotRequired[Annotated[Optional[str], Field(alias="env_template_repo")]]
    gitops_destination_repo: NotRequired[Annotated[Optional[str], Field(alias="gitops_destination_repo")]]
    gitops_template_branch: NotRequired[Annotated[Optional[str], Field(alias="gitops_template_branch")]]
    gitops_template_repo: NotRequired[Annotated[Optional[str], Field(alias="gitops_template_repo")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineSecrets(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    generate: bool = Field(alias="generate")
    id: uuid.UUID = Field(alias="id")
    length: int = Field(alias="length")
    name: str = Field(alias="name")
    special_chars: bool = Field(alias="special_chars")
    status: PublicComponentStatus = Field(alias="status")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineSecretsInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    generate: NotRequired[Annotated[bool, Field(alias="generate")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    length: NotRequired[Annotated[int, Field(alias="length")]]
    name: Annotated[str, Field(alias="name")]
    special_chars: NotRequired[Annotated[bool, Field(alias="special_chars")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineSecretsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    generate: NotRequired[Annotated[bool, Field(alias="generate")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    length: NotRequired[Annotated[int, Field(alias="length")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    special_chars: NotRequired[Annotated[bool, Field(alias="special_chars")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVineTopics(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    status: PublicComponentStatus = Field(alias="status")
    subscriptions: JsonValue = Field(alias="subscriptions")
    vine_id: uuid.UUID = Field(alias="vine_id")

class PublicVineTopicsInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    subscriptions: NotRequired[Annotated[JsonValue, Field(alias="subscriptions")]]
    vine_id: Annotated[uuid.UUID, Field(alias="vine_id")]

class PublicVineTopicsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    status: NotRequired[Annotated[PublicComponentStatus, Field(alias="status")]]
    subscriptions: NotRequired[Annotated[JsonValue, Field(alias="subscriptions")]]
    vine_id: NotRequired[Annotated[uuid.UUID, Field(alias="vine_id")]]

class PublicVines(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    cloud_identity_id: Optional[uuid.UUID] = Field(alias="cloud_identity_id")
    created_at: datetime.datetime = Field(alias="created_at")
    environment_stage: PublicEnvironmentStage = Field(alias="environment_stage")
    estimated_monthly_cost: Optional[float] = Field(alias="estimated_monthly_cost")
    id: uuid.UUID = Field(alias="id")
    project_name: str = Field(alias="project_name")
    region: str = Field(alias="region")
    status: PublicVineStatus = Field(alias="status")
    terraform_version: str = Field(alias="terraform_version")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")
    vineyard_id: uuid.UUID = Field(alias="vineyard_id")

class PublicVinesInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    cloud_identity_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="cloud_identity_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    environment_stage: NotRequired[Annotated[PublicEnvironmentStage, Field(alias="environment_stage")]]
    estimated_monthly_cost: NotRequired[Annotated[Optional[float], Field(alias="estimated_monthly_cost")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    project_name: Annotated[str, Field(alias="project_name")]
    region: Annotated[str, Field(alias="region")]
    status: NotRequired[Annotated[PublicVineStatus, Field(alias="status")]]
    terraform_version: NotRequired[Annotated[str, Field(alias="terraform_version")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    vineyard_id: Annotated[uuid.UUID, Field(alias="vineyard_id")]

class PublicVinesUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    cloud_identity_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="cloud_identity_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    environment_stage: NotRequired[Annotated[PublicEnvironmentStage, Field(alias="environment_stage")]]
    estimated_monthly_cost: NotRequired[Annotated[Optional[float], Field(alias="estimated_monthly_cost")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    project_name: NotRequired[Annotated[str, Field(alias="project_name")]]
    region: NotRequired[Annotated[str, Field(alias="region")]]
    status: NotRequired[Annotated[PublicVineStatus, Field(alias="status")]]
    terraform_version: NotRequired[Annotated[str, Field(alias="terraform_version")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]
    vineyard_id: NotRequired[Annotated[uuid.UUID, Field(alias="vineyard_id")]]

class PublicVineyards(BaseModel):
    account_id: uuid.UUID = Field(alias="account_id")
    created_at: datetime.datetime = Field(alias="created_at")
    description: Optional[str] = Field(alias="description")
    id: uuid.UUID = Field(alias="id")
    name: str = Field(alias="name")
    requires_approval: bool = Field(alias="requires_approval")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: Optional[uuid.UUID] = Field(alias="user_id")

class PublicVineyardsInsert(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: Annotated[str, Field(alias="name")]
    requires_approval: NotRequired[Annotated[bool, Field(alias="requires_approval")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]

class PublicVineyardsUpdate(TypedDict):
    account_id: NotRequired[Annotated[uuid.UUID, Field(alias="account_id")]]
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    description: NotRequired[Annotated[Optional[str], Field(alias="description")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    requires_approval: NotRequired[Annotated[bool, Field(alias="requires_approval")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="user_id")]]

class PublicWorkerReleases(BaseModel):
    id: uuid.UUID = Field(alias="id")
    release_notes: Optional[str] = Field(alias="release_notes")
    released_at: datetime.datetime = Field(alias="released_at")
    version: str = Field(alias="version")

class PublicWorkerReleasesInsert(TypedDict):
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    release_notes: NotRequired[Annotated[Optional[str], Field(alias="release_notes")]]
    released_at: NotRequired[Annotated[datetime.datetime, Field(alias="released_at")]]
    version: Annotated[str, Field(alias="version")]

class PublicWorkerReleasesUpdate(TypedDict):
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    release_notes: NotRequired[Annotated[Optional[str], Field(alias="release_notes")]]
    released_at: NotRequired[Annotated[datetime.datetime, Field(alias="released_at")]]
    version: NotRequired[Annotated[str, Field(alias="version")]]

class PublicWorkers(BaseModel):
    created_at: datetime.datetime = Field(alias="created_at")
    drain_requested_at: Optional[datetime.datetime] = Field(alias="drain_requested_at")
    id: uuid.UUID = Field(alias="id")
    last_heartbeat: Optional[datetime.datetime] = Field(alias="last_heartbeat")
    mode: PublicWorkerMode = Field(alias="mode")
    name: str = Field(alias="name")
    release_id: Optional[uuid.UUID] = Field(alias="release_id")
    removed_at: Optional[datetime.datetime] = Field(alias="removed_at")
    status: PublicWorkerStatus = Field(alias="status")
    token_hash: str = Field(alias="token_hash")
    updated_at: datetime.datetime = Field(alias="updated_at")
    user_id: uuid.UUID = Field(alias="user_id")
    version: Optional[str] = Field(alias="version")

class PublicWorkersInsert(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    drain_requested_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="drain_requested_at")]]
    id: Annotated[uuid.UUID, Field(alias="id")]
    last_heartbeat: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_heartbeat")]]
    mode: NotRequired[Annotated[PublicWorkerMode, Field(alias="mode")]]
    name: Annotated[str, Field(alias="name")]
    release_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="release_id")]]
    removed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="removed_at")]]
    status: NotRequired[Annotated[PublicWorkerStatus, Field(alias="status")]]
    token_hash: Annotated[str, Field(alias="token_hash")]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: Annotated[uuid.UUID, Field(alias="user_id")]
    version: NotRequired[Annotated[Optional[str], Field(alias="version")]]

class PublicWorkersUpdate(TypedDict):
    created_at: NotRequired[Annotated[datetime.datetime, Field(alias="created_at")]]
    drain_requested_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="drain_requested_at")]]
    id: NotRequired[Annotated[uuid.UUID, Field(alias="id")]]
    last_heartbeat: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="last_heartbeat")]]
    mode: NotRequired[Annotated[PublicWorkerMode, Field(alias="mode")]]
    name: NotRequired[Annotated[str, Field(alias="name")]]
    release_id: NotRequired[Annotated[Optional[uuid.UUID], Field(alias="release_id")]]
    removed_at: NotRequired[Annotated[Optional[datetime.datetime], Field(alias="removed_at")]]
    status: NotRequired[Annotated[PublicWorkerStatus, Field(alias="status")]]
    token_hash: NotRequired[Annotated[str, Field(alias="token_hash")]]
    updated_at: NotRequired[Annotated[datetime.datetime, Field(alias="updated_at")]]
    user_id: NotRequired[Annotated[uuid.UUID, Field(alias="user_id")]]
    version: NotRequired[Annotated[Optional[str], Field(alias="version")]]
