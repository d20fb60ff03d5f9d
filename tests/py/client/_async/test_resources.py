"""Vineyards, identities, vines, jobs and the audit log, against the real stack."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from pydantic import SecretStr

from support._async.people import plant
from vintner_client import AsyncVintner, errors
from vintner_client.models import (
    AuditAction,
    ComponentStatus,
    EnvironmentStage,
    JobStatus,
    JobType,
    Manifest,
    VineStatus,
    WaitingOn,
    WorkerMode,
    WorkerStatus,
)


async def test_vineyards_are_made_listed_and_found(ann: AsyncVintner) -> None:
    second = await ann.vineyards.create(name="b", description="the second")
    first = await ann.vineyards.create(name="a")

    assert await ann.vineyards.list().all() == [first, second]
    assert await ann.vineyards.get(first.id) == first
    assert await ann.vineyards.list(name="b").all() == [second]
    assert await ann.vineyards.list(name="c").all() == []
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

    (found,) = await ann.identities.list(name="prod").all()
    assert found == made
    assert await ann.identities.get(made.id) == made
    assert await ann.identities.list().all() == [made]
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
    assert await ann.vines.list().all() == [vine]
    assert await ann.vines.list(vineyard_id=vine.vineyard_id).all() == [vine]
    assert await ann.vines.list(vineyard_id=uuid4()).all() == []
    assert await ann.vines.list(project_name="shop").all() == [vine]
    production = EnvironmentStage.PRODUCTION
    assert await ann.vines.list(project_name="shop", environment_stage=production).all() == []


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
    assert await ann.vines.list().all() == []


async def test_jobs_are_queued_listed_and_cancelled(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    plan = await ann.vines.plan(vine.id)
    deploy = await ann.vines.harvest(vine.id)

    assert (plan.job_type, plan.status) == (JobType.PLAN, JobStatus.QUEUED)
    assert [job.id for job in await ann.jobs.list(vine_id=vine.id).all()] == [deploy.id, plan.id]
    assert [job.id for job in await ann.jobs.list().take(1)] == [deploy.id]
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

    assert await ann.vines.list().all() == []
    with pytest.raises(errors.NotFound):
        await ann.vines.delete(vine.id)


async def test_a_vine_without_an_identity_has_no_jobs(ann: AsyncVintner) -> None:
    vine = await plant(ann, cloud_identity_id=None)
    with pytest.raises(errors.CloudIdentityMissing):
        await ann.vines.plan(vine.id)


async def test_tendrils_are_registered_and_listed(ann: AsyncVintner, bob: AsyncVintner) -> None:
    made = await ann.tendrils.register(name="cellar")

    (found,) = await ann.tendrils.list().all()

    assert found.id == made.worker_id
    assert (found.mode, found.status) == (WorkerMode.SELF_HOSTED, WorkerStatus.OFFLINE)
    assert await bob.tendrils.list().all() == []
    with pytest.raises(errors.InvalidInput):
        await ann.tendrils.register(name="")
    with pytest.raises(errors.NotAllowed, match="cloud-hosted"):
        await ann.tendrils.register(name="x", mode=WorkerMode.CLOUD_HOSTED)
    with pytest.raises(errors.InvalidInput, match='"moon" is not a valid worker mode'):
        await ann.tendrils.register(name="x", mode="moon")  # type: ignore[arg-type]


async def test_the_audit_log_tells_what_happened(ann: AsyncVintner, bob: AsyncVintner) -> None:
    vine = await plant(ann)
    await ann.vines.harvest(vine.id)

    entries = await ann.audit.list(vine_id=vine.id).all()

    assert [(entry.component_type, entry.action) for entry in entries] == [
        ("vine", AuditAction.CREATED),
        ("network", AuditAction.CREATED),
        ("vine", AuditAction.UPDATED),
    ]
    assert entries[-1].changes["status"] == {"before": "DRAFT", "after": "QUEUED"}
    assert entries[-1].user_id == ann.auth.user_id
    assert await bob.audit.list(vine_id=vine.id).all() == []


async def test_the_raw_builder_raises_this_librarys_errors(ann: AsyncVintner) -> None:
    with pytest.raises(errors.SchemaMissing):
        await ann.table("no_such_table").select("*").execute()
    with pytest.raises(errors.NotAllowed):
        await ann.table("vines").update({"status": "ACTIVE"}).eq("id", str(uuid4())).execute()


async def test_a_vineyard_is_changed_and_deleted(ann: AsyncVintner, bob: AsyncVintner) -> None:
    made = await ann.vineyards.create(name="a", description="the first")

    renamed = await ann.vineyards.update(made.id, name="b")
    assert (renamed.name, renamed.description) == ("b", "the first")
    assert (await ann.vineyards.update(made.id, description=None)).description is None
    unchanged = await ann.vineyards.update(made.id)
    assert unchanged.name == "b"
    with pytest.raises(errors.NotFound):
        await bob.vineyards.update(made.id, name="mine")
    with pytest.raises(errors.NotFound):
        await bob.vineyards.delete(made.id)
    await ann.vineyards.delete(made.id)
    assert await ann.vineyards.list().all() == []


async def test_an_identity_is_changed_and_deleted(ann: AsyncVintner) -> None:
    made = await ann.identities.create(
        provider="aws", name="prod", credentials={"secret_access_key": "very-secret"}
    )

    changed = await ann.identities.update(
        made.id, name="main", credentials={**made.credentials, "region": "eu-west-1"}
    )
    assert changed.name == "main"
    assert changed.credentials == {**made.credentials, "region": "eu-west-1"}
    await ann.identities.delete(made.id)
    with pytest.raises(errors.NotFound):
        await ann.identities.get(made.id)


async def test_options_are_a_twins_own(ann: AsyncVintner) -> None:
    twin = ann.with_options(timeout=3.0, max_retries=0)
    async with twin:
        assert twin.auth is ann.auth
        assert twin.live is ann.live
        assert twin.jobs is not ann.jobs
        assert await twin.vineyards.list().all() == []
    with pytest.raises(errors.ClientClosed):
        await twin.vineyards.list().all()
    assert await ann.vineyards.list().all() == []


async def test_a_vineyard_is_brought_to_a_described_state(ann: AsyncVintner) -> None:
    identity = await ann.identities.create(provider="local", name="sandbox")
    vine = {
        "project_name": "shop",
        "region": "eu-west-1",
        "cloud_identity_id": identity.id,
        "queues": [{"name": "mail"}],
    }
    manifest = {"name": "webshop", "vines": [vine]}

    dry = await ann.vineyards.apply(manifest, dry_run=True)
    assert await ann.vineyards.list().all() == []
    assert await ann.vineyards.apply(manifest) == dry
    assert {entry["type"] for entry in dry.create} == {"vineyard", "vine", "queue"}
    again = await ann.vineyards.apply(manifest)
    assert (again.create, again.change, again.remove, again.needs_destroy) == ([], [], [], [])
    gone = await ann.vineyards.apply({"name": "webshop", "vines": []})
    assert [entry["vine"] for entry in gone.remove if entry["type"] == "vine"] == [
        "shop/development"
    ]


async def test_a_job_waits_is_retried_and_forced(ann: AsyncVintner, tendril: AsyncVintner) -> None:
    vine = await plant(ann)
    first, second = await ann.vines.plan(vine.id), await ann.vines.plan(vine.id)
    assert await ann.jobs.waiting_on(first.id) is WaitingOn.TENDRIL
    assert await ann.jobs.waiting_on(second.id) is WaitingOn.VINE
    claimed = await tendril.lease.claim_next_job()
    assert claimed is not None
    assert await ann.jobs.waiting_on(claimed.id) is None
    with pytest.raises(errors.JobNotRetryable):
        await ann.jobs.retry(claimed.id)
    with pytest.raises(errors.NotFound):
        await ann.jobs.waiting_on(uuid4())
    await tendril.lease.start_job(claimed)
    with pytest.raises(errors.JobNotForceable):
        await ann.jobs.cancel(claimed.id, force=True)
    await tendril.lease.complete_job(claimed, status=JobStatus.FAILED, error_message="no")
    again = await ann.jobs.retry(claimed.id)
    assert (again.job_type, again.status) == (JobType.PLAN, JobStatus.QUEUED)
    assert again.id != claimed.id


async def test_an_identity_is_tested_and_revealed(ann: AsyncVintner, bob: AsyncVintner) -> None:
    credentials = {"role_arn": "arn:aws:iam::1:role/r", "secret_access_key": "very-secret"}
    made = await ann.identities.create(provider="aws", name="prod", credentials=credentials)

    test = await ann.identities.test(made.id)
    assert (test.job_type, test.cloud_identity_id) == (JobType.CONNECTION_TEST, made.id)
    fetch = await ann.identities.fetch_resources(made.id)
    assert fetch.job_type is JobType.FETCH_RESOURCES
    assert await ann.identities.reveal_credentials(made.id) == credentials
    with pytest.raises(errors.NotFound):
        await bob.identities.reveal_credentials(made.id)
    revealed = await ann.audit.list(action=AuditAction.REVEALED).first()
    assert revealed is not None
    assert revealed.component_id == made.id


async def test_a_state_is_put_back_and_restored(ann: AsyncVintner, tendril: AsyncVintner) -> None:
    vine = await plant(ann, cluster={})
    await ann.vines.harvest(vine.id)
    job = await tendril.lease.claim_next_job()
    assert job is not None
    await tendril.lease.start_job(job)
    await tendril.lease.complete_job(job, status=JobStatus.SUCCESS)
    state = {"version": 4, "lineage": "one", "serial": 3, "resources": []}

    assert await ann.vines.state_versions(vine.id) == []
    assert await ann.vines.push_state(vine.id, state=json.dumps(state)) == 3
    with pytest.raises(errors.StateConflict):
        await ann.vines.push_state(vine.id, state=json.dumps({**state, "lineage": "two"}))
    assert await ann.vines.push_state(vine.id, state=json.dumps({**state, "serial": 4})) == 4
    assert await ann.vines.restore_state(vine.id, serial=3) == 5
    versions = await ann.vines.state_versions(vine.id)
    assert [version.serial for version in versions] == [5, 4, 3]
    assert versions[0].user_id == ann.auth.user_id
    assert await ann.vines.reveal_argocd_admin_password(vine.id) is None


async def test_a_tendril_is_renamed(ann: AsyncVintner, bob: AsyncVintner) -> None:
    made = await ann.tendrils.register(name="laptop")

    assert (await ann.tendrils.rename(made.worker_id, name="desk")).name == "desk"
    assert (await ann.tendrils.get(made.worker_id)).name == "desk"
    with pytest.raises(errors.NotFound):
        await bob.tendrils.rename(made.worker_id, name="mine")


async def test_a_manifest_is_checked_before_it_is_sent(ann: AsyncVintner) -> None:
    vineyard = await ann.vineyards.create(name="mine")
    wrong = {"vineyard_id": vineyard.id, "project_name": "shop", "clusters": {}}
    with pytest.raises(errors.InvalidInput, match="region: Field required; clusters: Extra"):
        Manifest(**wrong)
    with pytest.raises(errors.InvalidInput, match="clusters"):
        await ann.vines.plant({**wrong, "region": "eu-west-1"})


async def test_values_are_sent_as_json_has_them(ann: AsyncVintner) -> None:
    vine = await plant(ann, databases=[{"name": "main", "max_capacity": Decimal("7.5")}])
    assert (await ann.vines.components(vine.id)).databases[0].max_capacity == Decimal("7.5")
    secret = {"role_arn": "arn", "secret_access_key": SecretStr("very-secret")}
    made = await ann.identities.create(provider="aws", name="prod", credentials=secret)
    revealed = await ann.identities.reveal_credentials(made.id)
    assert revealed["secret_access_key"] == "very-secret"
    for thing in (object(), float("nan"), {1j: 2}):
        with pytest.raises(errors.InvalidInput, match="That cannot be sent"):
            await ann.identities.update(made.id, credentials={"thing": thing})


async def test_every_error_tells_all_of_it_in_one_line(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    await ann.vines.harvest(vine.id)
    with pytest.raises(errors.VineBusy) as raised:
        await ann.vines.harvest(vine.id)
    error = raised.value
    assert (error.code, error.status) == ("vine_busy", 409)
    assert error.message
    assert error.hint
    assert error.request_id
    told = f"(code vine_busy, status 409, request {error.request_id})"
    assert str(error) == f"{error.message} {error.hint} {told}"
