"""A platform team's program: what users write. pyright --strict finds nothing in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type
from uuid import UUID

from pydantic import SecretStr

from vintner_client import (
    UNSET,
    AsyncRows,
    AsyncStore,
    AsyncVintner,
    FileStorage,
    LiveState,
    MemoryStorage,
    Session,
    Storage,
    SyncStore,
    Unset,
    Vintner,
    VintnerError,
    errors,
)
from vintner_client.models import (
    Account,
    AccountRole,
    AuditAction,
    AuditEntry,
    Cache,
    CacheEngine,
    CloudIdentity,
    Components,
    Database,
    Difference,
    EnvironmentStage,
    Heartbeat,
    Job,
    JobContext,
    JobFilter,
    JobStatus,
    JobType,
    LogChunk,
    Manifest,
    Membership,
    NewInvitation,
    NewLogChunk,
    RegisteredTendril,
    StateVersion,
    StreamType,
    Tendril,
    TendrilFilter,
    Vine,
    VineStatus,
    Vineyard,
    WaitingOn,
    WorkerMode,
    WorkerStatus,
)


class OwnStorage:
    """Any object with three methods keeps a session."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def get_item(self, key: str) -> str | None:
        return self._texts.get(key)

    def set_item(self, key: str, value: str) -> None:
        self._texts[key] = value

    def remove_item(self, key: str) -> None:
        self._texts.pop(key, None)


def clients(folder: Path, session: Session, token: SecretStr) -> Sequence[Vintner]:
    storages: list[Storage] = [OwnStorage(), MemoryStorage(), FileStorage(folder)]
    return [
        Vintner.from_env(storage=storages[0]),
        Vintner(url="http://127.0.0.1:54321", key="sb_publishable_x", storage=storages[1]),
        Vintner(url="http://127.0.0.1:54321", key="sb_publishable_x", session=session),
        Vintner.from_env(tendril_token=token, timeout=3.0, max_retries=0),
        Vintner.from_env().with_options(timeout=30.0),
    ]


def people(client: Vintner, password: str) -> None:
    session = client.auth.sign_in(email="ann@example.com", password=password)
    assert_type(session, Session)
    assert_type(session.expires_at, datetime)
    assert_type(client.auth.user_id, UUID)
    assert_type(client.auth.access_token(), str | None)
    team = client.accounts.create(name="Cellar")
    assert_type(team, Account)
    client.accounts.rename(team.id, name="Wine cellar")
    for member in client.accounts.members(team.id, role=[AccountRole.ADMIN, AccountRole.OWNER]):
        assert_type(member, Membership)
        client.accounts.set_role(team.id, member.user_id, role=AccountRole.VIEWER)
    invited = client.accounts.invite(team.id, email="bob@example.com", role=AccountRole.OPERATOR)
    assert_type(invited, NewInvitation)
    assert_type(invited.token, SecretStr)
    client.auth.sign_out()


def infrastructure(client: Vintner, description: str | Unset | None = UNSET) -> Job | None:
    vineyard = client.vineyards.create(name="webshop", description="all of it")
    assert_type(vineyard, Vineyard)
    client.vineyards.update(vineyard.id, description=description, requires_approval=True)
    identity = client.identities.create(
        provider="aws", name="prod", credentials={"role_arn": "arn:aws:iam::1:role/r"}
    )
    assert_type(identity, CloudIdentity)
    manifest = Manifest(
        vineyard_id=vineyard.id,
        cloud_identity_id=identity.id,
        project_name="shop",
        environment_stage=EnvironmentStage.PRODUCTION,
        region="eu-west-1",
        network={},
        databases=[{"name": "main", "max_capacity": Decimal("4")}],
    )
    vine = client.vines.plant(manifest)
    client.vines.plant({"vineyard_id": vineyard.id, "project_name": "blog", "region": "eu-west-1"})
    assert_type(vine, Vine)
    assert_type(vine.status, VineStatus)
    assert_type(vine.estimated_monthly_cost, Decimal | None)
    parts = client.vines.components(vine.id)
    assert_type(parts, Components)
    assert_type([database.endpoint for database in parts.databases], list[str | None])
    assert_type(client.vines.components_of(Database, vine_id=vine.id).all(), list[Database])
    assert_type([cache.engine for cache in client.vines.components_of(Cache)], list[CacheEngine])
    plan = client.vines.plan(vine.id)
    assert_type(plan, Job)
    if client.jobs.waiting_on(plan.id) is WaitingOn.APPROVAL:
        client.jobs.approve(plan.id)
    done = client.jobs.wait(plan.id)
    if done.status is not JobStatus.SUCCESS:
        return None
    harvest = client.vines.harvest(vine.id, plan_job_id=plan.id)
    for chunk in client.jobs.follow_logs(harvest.id, from_seq=1):
        assert_type(chunk, LogChunk)
        print(chunk.log_chunk, end="")
    versions = client.vines.state_versions(vine.id)
    assert_type(versions, Sequence[StateVersion])
    difference = client.vineyards.apply({"name": "webshop", "vines": []}, dry_run=True)
    assert_type(difference, Difference)
    return client.vines.destroy(vine.id, confirm="shop")


def lists(client: Vintner, vineyard_id: UUID) -> None:
    first = client.vines.list(vineyard_id=vineyard_id, status=VineStatus.ACTIVE).first()
    assert_type(first, Vine | None)
    stages = (EnvironmentStage.STAGING, EnvironmentStage.DEVELOPMENT)
    vines = client.vines.list(environment_stage=stages, order="-created_at").take(20)
    assert_type(vines, list[Vine])
    jobs = client.jobs.list(job_type=[JobType.DEPLOY, JobType.DESTROY], order="created_at")
    assert_type([job.status for job in jobs], list[JobStatus])
    entries = client.audit.list(action=AuditAction.REVEALED, order="-created_at").all()
    assert_type(entries, list[AuditEntry])
    tendrils = client.tendrils.list(status=WorkerStatus.ONLINE, mode=WorkerMode.SELF_HOSTED)
    assert_type(tendrils.all(), list[Tendril])


def told(client: Vintner, vine_id: str) -> str:
    try:
        client.vines.harvest(vine_id)
    except errors.VineBusy as error:
        assert_type(error.code, str)
        return error.hint
    except errors.NotSignedIn:
        return "sign in first"
    except VintnerError as error:
        assert_type(error.status, int | None)
        assert_type(error.request_id, str | None)
        return str(error)
    return ""


def shown(client: Vintner, store: SyncStore[Job, JobFilter]) -> None:
    with client.live.jobs(show=JobFilter(status=JobStatus.QUEUED), remember="mine") as jobs:
        assert_type(jobs.items, tuple[Job, ...])
        assert_type(client.live.state, LiveState)
        stop = jobs.on_change(lambda items: print([job.status for job in items]))
        job = jobs.items[0]
        with jobs.optimistic(job.id, status=JobStatus.CANCELLED):
            store.add_or_update(client.jobs.cancel(job.id))
        stop()
    with client.live.vineyards() as vineyards:
        for items in vineyards.changes():
            assert_type(
                [vine.status for vineyard in items for vine in vineyard.vines], list[VineStatus]
            )


async def first_of(
    rows: AsyncRows[Tendril], store: AsyncStore[Tendril, TendrilFilter]
) -> Tendril | None:
    async with store as tendrils:
        await tendrils.show(TendrilFilter(status=WorkerStatus.ONLINE))
    return await rows.first()


async def tendril(owner: AsyncVintner) -> None:
    made = await owner.tendrils.register(name="laptop")
    assert_type(made, RegisteredTendril)
    async with AsyncVintner.from_env(tendril_token=made.token) as client:
        answer = await client.lease.heartbeat(version="1.0.0")
        assert_type(answer, Heartbeat)
        job = await client.lease.claim_next_job()
        assert_type(job, Job | None)
        if job is None:
            return
        await client.lease.start_job(job)
        context = await client.lease.context(job)
        assert_type(context, JobContext)
        assert_type(context.credentials, dict[str, Any])
        chunk = NewLogChunk(seq=1, log_chunk="hello\n", stream_type=StreamType.STDOUT)
        assert_type(await client.lease.append_logs(job, [chunk]), int)
        await client.lease.complete_job(job, status=JobStatus.SUCCESS, outputs={})


async def at_once(client: AsyncVintner, vine_ids: Sequence[UUID]) -> list[Job]:
    async for vine in client.vines.list():
        assert_type(vine, Vine)
    async for chunk in client.jobs.follow_logs(vine_ids[0]):
        assert_type(chunk, LogChunk)
    raw = await client.table("vines").select("id").limit(1).execute()
    print(raw.data)
    return list(await asyncio.gather(*(client.vines.plan(vine_id) for vine_id in vine_ids)))
