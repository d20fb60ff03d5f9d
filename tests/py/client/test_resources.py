"""Vineyards, identities, vines, jobs and the audit log, against the real stack."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from support.people import plant
from vintner_client import AsyncVintner, errors
from vintner_client.models import (
    AuditAction,
    ComponentStatus,
    EnvironmentStage,
    JobStatus,
    JobType,
    Manifest,
    VineStatus,
    WorkerMode,
    WorkerStatus,
)


async def test_vineyards_are_made_listed_and_found(ann: AsyncVintner) -> None:
    second = await ann.vineyards.create(name="b", description="the second")
    first = await ann.vineyards.create(name="a")

    assert await ann.vineyards.list() == [first, second]
    assert await ann.vineyards.get(first.id) == first
    assert await ann.vineyards.find(name="b") == [second]
    assert await ann.vineyards.find(name="c") == []
    assert second.description == "the second"
    assert first.created_at.tzinfo is not None
    with pytest.raises(errors.Conflict, match="There is a vineyard with this name already"):
        await ann.vineyards.create(name="a")
    with pytest.raises(errors.InvalidInput, match="name of the vineyard"):
        await ann.vineyards.create(name="")
    with pytest.raises(errors.InvalidInput, match="is not an id"):
        await ann.vineyards.get("webshop")


async def test_another_account_cannot_be_given_a_vineyard(
    ann: AsyncVintner, bob: AsyncVintner
) -> None:
    theirs = (await ann.vineyards.create(name="a")).account_id
    with pytest.raises(errors.NotAllowed):
        await bob.vineyards.create(name="b", account_id=theirs)


async def test_secrets_of_an_identity_are_stored_as_ciphertext(ann: AsyncVintner) -> None:
    made = await ann.identities.create(
        provider="aws",
        name="prod",
        credentials={"role_arn": "arn:aws:iam::1:role/r", "secret_access_key": "very-secret"},
    )

    (found,) = await ann.identities.find(name="prod")
    assert found == made
    assert await ann.identities.get(made.id) == made
    assert await ann.identities.list() == [made]
    assert found.credentials["role_arn"] == "arn:aws:iam::1:role/r"
    assert found.credentials["secret_access_key"].startswith("vintner:")
    assert "role_arn" not in repr(found)
    with pytest.raises(errors.InvalidInput, match="provider of the cloud identity"):
        await ann.identities.create(provider="oracle", name="x")


async def test_a_vine_is_planted_with_its_components(ann: AsyncVintner) -> None:
    vine = await plant(
        ann,
        environment_stage="staging",
        databases=[{"name": "orders", "min_capacity": 0.5}, {"name": "archive"}],
        caches=[{"name": "sessions"}],
    )

    assert (vine.label, vine.status) == ("shop/staging", VineStatus.DRAFT)
    components = await ann.vines.components(vine.id)
    assert components.network is not None
    assert components.network.status is ComponentStatus.PENDING
    assert components.cluster is None
    assert [database.name for database in components.databases] == ["archive", "orders"]
    assert components.databases[1].min_capacity == Decimal("0.5")
    assert components.caches[0].engine == "valkey"
    assert await ann.vines.get(vine.id) == vine
    assert await ann.vines.list() == [vine]
    assert await ann.vines.list(vineyard_id=vine.vineyard_id) == [vine]
    assert await ann.vines.list(vineyard_id=uuid4()) == []
    assert await ann.vines.find(project_name="shop") == [vine]
    production = EnvironmentStage.PRODUCTION
    assert await ann.vines.find(project_name="shop", environment_stage=production) == []


async def test_a_manifest_may_be_a_model(ann: AsyncVintner) -> None:
    vineyard = await ann.vineyards.create(name="v")
    manifest = Manifest(
        vineyard_id=vineyard.id, project_name="shop", region="eu-west-1", queues=[{"name": "mail"}]
    )

    vine = await ann.vines.plant(manifest)

    assert vine.terraform_version == "1.11.4"
    assert (await ann.vines.components(vine.id)).queues[0].name == "mail"


@pytest.mark.parametrize(
    ("spoilt", "text"),
    [
        ({"project_name": "Not Good"}, "project_name must be 2 to 40 lower-case letters"),
        ({"project_name": None}, "project_name: this key is needed"),
        ({"environment_stage": "prod"}, "one of development, staging, production is wanted"),
        ({"sauces": []}, "sauces: there is no such key"),
        ({"databases": {"name": "x"}}, "databases: a list is wanted"),
        (
            {"databases": [{"name": "x", "status": "ACTIVE"}]},
            r"databases\.x\.status: there is no such key",
        ),
        ({"databases": [{"name": "x", "port": 0}]}, r"databases\.x: port must be 1 to 65535"),
    ],
)
async def test_nothing_is_planted_of_a_wrong_manifest(
    ann: AsyncVintner, spoilt: dict[str, object], text: str
) -> None:
    with pytest.raises(errors.InvalidInput, match=text):
        await plant(ann, **spoilt)
    assert await ann.vines.list() == []


async def test_jobs_are_queued_listed_and_cancelled(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    plan = await ann.vines.plan(vine.id)
    deploy = await ann.vines.harvest(vine.id)

    assert (plan.job_type, plan.status) == (JobType.PLAN, JobStatus.QUEUED)
    assert [job.id for job in await ann.jobs.list(vine_id=vine.id)] == [deploy.id, plan.id]
    assert [job.id for job in await ann.jobs.list(limit=1)] == [deploy.id]
    assert (await ann.vines.get(vine.id)).status is VineStatus.QUEUED
    with pytest.raises(errors.VineBusy):
        await ann.vines.harvest(vine.id)

    cancelled = await ann.jobs.cancel(deploy.id)

    assert cancelled.status is JobStatus.CANCELLED
    assert (await ann.jobs.wait(deploy.id)) == cancelled
    assert (await ann.vines.get(vine.id)).status is VineStatus.DRAFT
    with pytest.raises(errors.JobEnded):
        await ann.jobs.cancel(deploy.id)
    with pytest.raises(errors.NotFound):
        await ann.jobs.get(uuid4())
    with pytest.raises(errors.NotFound):
        await ann.jobs.cancel(uuid4())


async def test_what_cannot_be_destroyed_is_refused(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    with pytest.raises(errors.VineNotDestroyable):
        await ann.vines.destroy(vine.id)


async def test_a_vine_is_deleted_while_it_has_no_resources(
    ann: AsyncVintner, bob: AsyncVintner
) -> None:
    vine = await plant(ann)
    with pytest.raises(errors.NotFound):
        await bob.vines.delete(vine.id)
    job = await ann.vines.harvest(vine.id)
    with pytest.raises(errors.VineNotDeletable):
        await ann.vines.delete(vine.id)
    await ann.jobs.cancel(job.id)

    await ann.vines.delete(vine.id)

    assert await ann.vines.list() == []
    with pytest.raises(errors.NotFound):
        await ann.vines.delete(vine.id)


async def test_a_vine_without_an_identity_has_no_jobs(ann: AsyncVintner) -> None:
    vine = await plant(ann, cloud_identity_id=None)
    with pytest.raises(errors.CloudIdentityMissing):
        await ann.vines.plan(vine.id)


async def test_tendrils_are_registered_and_listed(ann: AsyncVintner, bob: AsyncVintner) -> None:
    made = await ann.tendrils.register(name="cellar")

    (found,) = await ann.tendrils.list()

    assert found.id == made.worker_id
    assert (found.mode, found.status) == (WorkerMode.SELF_HOSTED, WorkerStatus.OFFLINE)
    assert await bob.tendrils.list() == []
    with pytest.raises(errors.InvalidInput):
        await ann.tendrils.register(name="")
    with pytest.raises(errors.NotAllowed, match="cloud-hosted"):
        await ann.tendrils.register(name="x", mode=WorkerMode.CLOUD_HOSTED)
    with pytest.raises(errors.InvalidInput, match='"moon" is not a valid worker mode'):
        await ann.tendrils.register(name="x", mode="moon")


async def test_the_audit_log_tells_what_happened(ann: AsyncVintner, bob: AsyncVintner) -> None:
    vine = await plant(ann)
    await ann.vines.harvest(vine.id)

    entries = await ann.audit.list(vine_id=vine.id)

    assert [(entry.component_type, entry.action) for entry in entries] == [
        ("vine", AuditAction.CREATED),
        ("network", AuditAction.CREATED),
        ("vine", AuditAction.UPDATED),
    ]
    assert entries[-1].changes["status"] == {"before": "DRAFT", "after": "QUEUED"}
    assert entries[-1].user_id == ann.auth.user_id
    assert await bob.audit.list(vine_id=vine.id) == []


async def test_lists_go_beyond_what_one_answer_holds(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    names = [f"topic-{number:04}" for number in range(1005)]
    await (
        ann.table("vine_topics")
        .insert([{"vine_id": str(vine.id), "name": name} for name in names])
        .execute()
    )

    entries = await ann.audit.list(vine_id=vine.id)

    # the vine and its network, and each topic
    assert len({entry.id for entry in entries}) == len(entries) == 2 + len(names)


async def test_the_raw_builder_raises_this_librarys_errors(ann: AsyncVintner) -> None:
    with pytest.raises(errors.SchemaMissing):
        await ann.table("no_such_table").select("*").execute()
    with pytest.raises(errors.NotAllowed):
        await ann.table("vines").update({"status": "ACTIVE"}).eq("id", str(uuid4())).execute()
