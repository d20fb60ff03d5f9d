# Made by scripts/generate_sync.py from tests/py/client/_async/test_resources.py: run `make sync`.
"""Vineyards, identities, vines, jobs and the audit log, against the real stack."""

from __future__ import annotations

import json
from decimal import Decimal
from uuid import uuid4

import pytest
from pydantic import SecretStr

from support._sync.people import plant
from vintner_client import Vintner, errors
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


def test_vineyards_are_made_listed_and_found(ann: Vintner) -> None:
    second = ann.vineyards.create(name="b", description="the second")
    first = ann.vineyards.create(name="a")

    assert ann.vineyards.list().all() == [first, second]
    assert ann.vineyards.get(first.id) == first
    assert ann.vineyards.list(name="b").all() == [second]
    assert ann.vineyards.list(name="c").all() == []
    assert second.description == "the second"
    assert first.created_at.tzinfo is not None
    with pytest.raises(errors.Conflict, match="There is a vineyard with this name already"):
        ann.vineyards.create(name="a")
    with pytest.raises(errors.InvalidInput, match="name of the vineyard"):
        ann.vineyards.create(name="")
    with pytest.raises(errors.InvalidInput, match="is not an id"):
        ann.vineyards.get("webshop")


def test_another_account_cannot_be_given_a_vineyard(ann: Vintner, bob: Vintner) -> None:
    theirs = (ann.vineyards.create(name="a")).account_id
    with pytest.raises(errors.NotAllowed):
        bob.vineyards.create(name="b", account_id=theirs)


def test_secrets_of_an_identity_are_stored_as_ciphertext(ann: Vintner) -> None:
    made = ann.identities.create(
        provider="aws",
        name="prod",
        credentials={"role_arn": "arn:aws:iam::1:role/r", "secret_access_key": "very-secret"},
    )

    (found,) = ann.identities.list(name="prod").all()
    assert found == made
    assert ann.identities.get(made.id) == made
    assert ann.identities.list().all() == [made]
    assert found.credentials["role_arn"] == "arn:aws:iam::1:role/r"
    assert found.credentials["secret_access_key"].startswith("vintner:")
    assert "role_arn" not in repr(found)
    with pytest.raises(errors.InvalidInput, match="provider of the cloud identity"):
        ann.identities.create(provider="oracle", name="x")


def test_a_vine_is_planted_with_its_components(ann: Vintner) -> None:
    vine = plant(
        ann,
        environment_stage="staging",
        databases=[{"name": "orders", "min_capacity": 0.5}, {"name": "archive"}],
        caches=[{"name": "sessions"}],
    )

    assert (vine.label, vine.status) == ("shop/staging", VineStatus.DRAFT)
    components = ann.vines.components(vine.id)
    assert components.network is not None
    assert components.network.status is ComponentStatus.PENDING
    assert components.cluster is None
    assert [database.name for database in components.databases] == ["archive", "orders"]
    assert components.databases[1].min_capacity == Decimal("0.5")
    assert components.caches[0].engine == "valkey"
    assert ann.vines.get(vine.id) == vine
    assert ann.vines.list().all() == [vine]
    assert ann.vines.list(vineyard_id=vine.vineyard_id).all() == [vine]
    assert ann.vines.list(vineyard_id=uuid4()).all() == []
    assert ann.vines.list(project_name="shop").all() == [vine]
    production = EnvironmentStage.PRODUCTION
    assert ann.vines.list(project_name="shop", environment_stage=production).all() == []


def test_a_manifest_may_be_a_model(ann: Vintner) -> None:
    vineyard = ann.vineyards.create(name="v")
    manifest = Manifest(
        vineyard_id=vineyard.id, project_name="shop", region="eu-west-1", queues=[{"name": "mail"}]
    )

    vine = ann.vines.plant(manifest)

    assert vine.terraform_version == "1.11.4"
    assert (ann.vines.components(vine.id)).queues[0].name == "mail"


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
def test_nothing_is_planted_of_a_wrong_manifest(
    ann: Vintner, spoilt: dict[str, object], text: str
) -> None:
    with pytest.raises(errors.InvalidInput, match=text):
        plant(ann, **spoilt)
    assert ann.vines.list().all() == []


def test_jobs_are_queued_listed_and_cancelled(ann: Vintner) -> None:
    vine = plant(ann)
    plan = ann.vines.plan(vine.id)
    deploy = ann.vines.harvest(vine.id)

    assert (plan.job_type, plan.status) == (JobType.PLAN, JobStatus.QUEUED)
    assert [job.id for job in ann.jobs.list(vine_id=vine.id).all()] == [deploy.id, plan.id]
    assert [job.id for job in ann.jobs.list().take(1)] == [deploy.id]
    assert (ann.vines.get(vine.id)).status is VineStatus.QUEUED
    with pytest.raises(errors.VineBusy):
        ann.vines.harvest(vine.id)

    cancelled = ann.jobs.cancel(deploy.id)

    assert cancelled.status is JobStatus.CANCELLED
    assert (ann.jobs.wait(deploy.id)) == cancelled
    assert (ann.vines.get(vine.id)).status is VineStatus.DRAFT
    with pytest.raises(errors.JobEnded):
        ann.jobs.cancel(deploy.id)
    with pytest.raises(errors.NotFound):
        ann.jobs.get(uuid4())
    with pytest.raises(errors.NotFound):
        ann.jobs.cancel(uuid4())


def test_what_cannot_be_destroyed_is_refused(ann: Vintner) -> None:
    vine = plant(ann)
    with pytest.raises(errors.VineNotDestroyable):
        ann.vines.destroy(vine.id)


def test_a_vine_is_deleted_while_it_has_no_resources(ann: Vintner, bob: Vintner) -> None:
    vine = plant(ann)
    with pytest.raises(errors.NotFound):
        bob.vines.delete(vine.id)
    job = ann.vines.harvest(vine.id)
    with pytest.raises(errors.VineNotDeletable):
        ann.vines.delete(vine.id)
    ann.jobs.cancel(job.id)

    ann.vines.delete(vine.id)

    assert ann.vines.list().all() == []
    with pytest.raises(errors.NotFound):
        ann.vines.delete(vine.id)


def test_a_vine_without_an_identity_has_no_jobs(ann: Vintner) -> None:
    vine = plant(ann, cloud_identity_id=None)
    with pytest.raises(errors.CloudIdentityMissing):
        ann.vines.plan(vine.id)


def test_tendrils_are_registered_and_listed(ann: Vintner, bob: Vintner) -> None:
    made = ann.tendrils.register(name="cellar")

    (found,) = ann.tendrils.list().all()

    assert found.id == made.worker_id
    assert (found.mode, found.status) == (WorkerMode.SELF_HOSTED, WorkerStatus.OFFLINE)
    assert bob.tendrils.list().all() == []
    with pytest.raises(errors.InvalidInput):
        ann.tendrils.register(name="")
    with pytest.raises(errors.NotAllowed, match="cloud-hosted"):
        ann.tendrils.register(name="x", mode=WorkerMode.CLOUD_HOSTED)
    with pytest.raises(errors.InvalidInput, match='"moon" is not a valid worker mode'):
        ann.tendrils.register(name="x", mode="moon")  # type: ignore[arg-type]


def test_the_audit_log_tells_what_happened(ann: Vintner, bob: Vintner) -> None:
    vine = plant(ann)
    ann.vines.harvest(vine.id)

    entries = ann.audit.list(vine_id=vine.id).all()

    assert [(entry.component_type, entry.action) for entry in entries] == [
        ("vine", AuditAction.CREATED),
        ("network", AuditAction.CREATED),
        ("vine", AuditAction.UPDATED),
    ]
    assert entries[-1].changes["status"] == {"before": "DRAFT", "after": "QUEUED"}
    assert entries[-1].user_id == ann.auth.user_id
    assert bob.audit.list(vine_id=vine.id).all() == []


def test_the_raw_builder_raises_this_librarys_errors(ann: Vintner) -> None:
    with pytest.raises(errors.SchemaMissing):
        ann.table("no_such_table").select("*").execute()
    with pytest.raises(errors.NotAllowed):
        ann.table("vines").update({"status": "ACTIVE"}).eq("id", str(uuid4())).execute()


def test_a_vineyard_is_changed_and_deleted(ann: Vintner, bob: Vintner) -> None:
    made = ann.vineyards.create(name="a", description="the first")

    renamed = ann.vineyards.update(made.id, name="b")
    assert (renamed.name, renamed.description) == ("b", "the first")
    assert (ann.vineyards.update(made.id, description=None)).description is None
    unchanged = ann.vineyards.update(made.id)
    assert unchanged.name == "b"
    with pytest.raises(errors.NotFound):
        bob.vineyards.update(made.id, name="mine")
    with pytest.raises(errors.NotFound):
        bob.vineyards.delete(made.id)
    ann.vineyards.delete(made.id)
    assert ann.vineyards.list().all() == []


def test_an_identity_is_changed_and_deleted(ann: Vintner) -> None:
    made = ann.identities.create(
        provider="aws", name="prod", credentials={"secret_access_key": "very-secret"}
    )

    changed = ann.identities.update(
        made.id, name="main", credentials={**made.credentials, "region": "eu-west-1"}
    )
    assert changed.name == "main"
    assert changed.credentials == {**made.credentials, "region": "eu-west-1"}
    ann.identities.delete(made.id)
    with pytest.raises(errors.NotFound):
        ann.identities.get(made.id)


def test_options_are_a_twins_own(ann: Vintner) -> None:
    twin = ann.with_options(timeout=3.0, max_retries=0)
    with twin:
        assert twin.auth is ann.auth
        assert twin.live is ann.live
        assert twin.jobs is not ann.jobs
        assert twin.vineyards.list().all() == []
    with pytest.raises(errors.ClientClosed):
        twin.vineyards.list().all()
    assert ann.vineyards.list().all() == []


def test_a_vineyard_is_brought_to_a_described_state(ann: Vintner) -> None:
    identity = ann.identities.create(provider="local", name="sandbox")
    vine = {
        "project_name": "shop",
        "region": "eu-west-1",
        "cloud_identity_id": identity.id,
        "queues": [{"name": "mail"}],
    }
    manifest = {"name": "webshop", "vines": [vine]}

    dry = ann.vineyards.apply(manifest, dry_run=True)
    assert ann.vineyards.list().all() == []
    assert ann.vineyards.apply(manifest) == dry
    assert {entry["type"] for entry in dry.create} == {"vineyard", "vine", "queue"}
    again = ann.vineyards.apply(manifest)
    assert (again.create, again.change, again.remove, again.needs_destroy) == ([], [], [], [])
    gone = ann.vineyards.apply({"name": "webshop", "vines": []})
    assert [entry["vine"] for entry in gone.remove if entry["type"] == "vine"] == [
        "shop/development"
    ]


def test_a_job_waits_is_retried_and_forced(ann: Vintner, tendril: Vintner) -> None:
    vine = plant(ann)
    first, second = ann.vines.plan(vine.id), ann.vines.plan(vine.id)
    assert ann.jobs.waiting_on(first.id) is WaitingOn.TENDRIL
    assert ann.jobs.waiting_on(second.id) is WaitingOn.VINE
    claimed = tendril.lease.claim_next_job()
    assert claimed is not None
    assert ann.jobs.waiting_on(claimed.id) is None
    with pytest.raises(errors.JobNotRetryable):
        ann.jobs.retry(claimed.id)
    with pytest.raises(errors.NotFound):
        ann.jobs.waiting_on(uuid4())
    tendril.lease.start_job(claimed)
    with pytest.raises(errors.JobNotForceable):
        ann.jobs.cancel(claimed.id, force=True)
    tendril.lease.complete_job(claimed, status=JobStatus.FAILED, error_message="no")
    again = ann.jobs.retry(claimed.id)
    assert (again.job_type, again.status) == (JobType.PLAN, JobStatus.QUEUED)
    assert again.id != claimed.id


def test_an_identity_is_tested_and_revealed(ann: Vintner, bob: Vintner) -> None:
    credentials = {"role_arn": "arn:aws:iam::1:role/r", "secret_access_key": "very-secret"}
    made = ann.identities.create(provider="aws", name="prod", credentials=credentials)

    test = ann.identities.test(made.id)
    assert (test.job_type, test.cloud_identity_id) == (JobType.CONNECTION_TEST, made.id)
    fetch = ann.identities.fetch_resources(made.id)
    assert fetch.job_type is JobType.FETCH_RESOURCES
    assert ann.identities.reveal_credentials(made.id) == credentials
    with pytest.raises(errors.NotFound):
        bob.identities.reveal_credentials(made.id)
    revealed = ann.audit.list(action=AuditAction.REVEALED).first()
    assert revealed is not None
    assert revealed.component_id == made.id


def test_a_state_is_put_back_and_restored(ann: Vintner, tendril: Vintner) -> None:
    vine = plant(ann, cluster={})
    ann.vines.harvest(vine.id)
    job = tendril.lease.claim_next_job()
    assert job is not None
    tendril.lease.start_job(job)
    tendril.lease.complete_job(job, status=JobStatus.SUCCESS)
    state = {"version": 4, "lineage": "one", "serial": 3, "resources": []}

    assert ann.vines.state_versions(vine.id) == []
    assert ann.vines.push_state(vine.id, state=json.dumps(state)) == 3
    with pytest.raises(errors.StateConflict):
        ann.vines.push_state(vine.id, state=json.dumps({**state, "lineage": "two"}))
    assert ann.vines.push_state(vine.id, state=json.dumps({**state, "serial": 4})) == 4
    assert ann.vines.restore_state(vine.id, serial=3) == 5
    versions = ann.vines.state_versions(vine.id)
    assert [version.serial for version in versions] == [5, 4, 3]
    assert versions[0].user_id == ann.auth.user_id
    assert ann.vines.reveal_argocd_admin_password(vine.id) is None


def test_a_tendril_is_renamed(ann: Vintner, bob: Vintner) -> None:
    made = ann.tendrils.register(name="laptop")

    assert (ann.tendrils.rename(made.worker_id, name="desk")).name == "desk"
    assert (ann.tendrils.get(made.worker_id)).name == "desk"
    with pytest.raises(errors.NotFound):
        bob.tendrils.rename(made.worker_id, name="mine")


def test_a_manifest_is_checked_before_it_is_sent(ann: Vintner) -> None:
    vineyard = ann.vineyards.create(name="mine")
    wrong = {"vineyard_id": vineyard.id, "project_name": "shop", "clusters": {}}
    with pytest.raises(errors.InvalidInput, match="region: Field required; clusters: Extra"):
        Manifest(**wrong)
    with pytest.raises(errors.InvalidInput, match="clusters"):
        ann.vines.plant({**wrong, "region": "eu-west-1"})


def test_values_are_sent_as_json_has_them(ann: Vintner) -> None:
    vine = plant(ann, databases=[{"name": "main", "max_capacity": Decimal("7.5")}])
    assert (ann.vines.components(vine.id)).databases[0].max_capacity == Decimal("7.5")
    secret = {"role_arn": "arn", "secret_access_key": SecretStr("very-secret")}
    made = ann.identities.create(provider="aws", name="prod", credentials=secret)
    revealed = ann.identities.reveal_credentials(made.id)
    assert revealed["secret_access_key"] == "very-secret"
    for thing in (object(), float("nan"), {1j: 2}):
        with pytest.raises(errors.InvalidInput, match="That cannot be sent"):
            ann.identities.update(made.id, credentials={"thing": thing})


def test_every_error_tells_all_of_it_in_one_line(ann: Vintner) -> None:
    vine = plant(ann)
    ann.vines.harvest(vine.id)
    with pytest.raises(errors.VineBusy) as raised:
        ann.vines.harvest(vine.id)
    error = raised.value
    assert (error.code, error.status) == ("vine_busy", 409)
    assert error.message
    assert error.hint
    assert error.request_id
    told = f"(code vine_busy, status 409, request {error.request_id})"
    assert str(error) == f"{error.message} {error.hint} {told}"
