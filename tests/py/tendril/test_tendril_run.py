"""`tendril run` as a process, against the real stack and real Terraform."""

import os
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.home import Home
from support.proxy import Proxy
from support.tendrils import BuildGate, StartTendril
from support.waiting import until
from vintner_client.models import JobStatus, VineStatus, WorkerStatus

SECRET = "queue-of-acme"

COMPONENTS: dict[str, Any] = {
    "network": {"cidr_block": "10.20.0.0/16"},
    "cluster": {"provider_config": {"addons": ["metrics"]}},
    "dns": {"domain_name": "shop.example.com"},
    "repositories": {"apps_template_repo": "https://git.example.com/apps"},
    "databases": [{"name": "main"}, {"name": "reports", "max_capacity": 4}],
    "caches": [{"name": "sessions"}],
    "queues": [{"name": SECRET}],
    "topics": [{"name": "mail", "subscriptions": [{"protocol": "email"}]}, {"name": "audit"}],
    "nosql_tables": [{"name": "carts", "hash_key": "id", "provider_config": {"ttl": "at"}}],
    "container_registries": [{"name": "web"}],
    "secrets": [{"name": "api-key"}],
}
RESOURCES = 13


@pytest.fixture
async def token(home: Home) -> str:
    registered = await home.client.tendrils.register(name="laptop")
    return registered.token.get_secret_value()


async def test_a_vine_from_plan_to_destroy(
    home: Home, token: str, start_tendril: StartTendril
) -> None:
    home.identity_id = await home.identity("local", token=SECRET)
    vine = await home.plant(**COMPONENTS)
    client = home.client
    tendril = await start_tendril(token)

    job = await home.ended(await client.vines.plan(vine.id))
    assert (job.status, job.error_message) == (JobStatus.SUCCESS, None)
    assert job.execution_metadata["plan"] == {"add": RESOURCES, "change": 0, "destroy": 0}
    assert set(job.execution_metadata["timing"]) == {"init", "plan", "show"}
    assert job.execution_metadata["terraform_version"].startswith("1.")
    text = await home.log(job)
    assert text.startswith("PLAN of shop/development with ")
    assert 'terraform_data.database["main"]: Plan to create' in text
    assert f"Plan: {RESOURCES} to add, 0 to change, 0 to destroy." in text
    assert SECRET not in text
    assert 'terraform_data.queue["***"]' in text
    assert (await client.vines.get(vine.id)).status is VineStatus.DRAFT

    job = await home.ended(await client.vines.harvest(vine.id))
    assert (job.status, job.error_message) == (JobStatus.SUCCESS, None)
    assert (await client.vines.get(vine.id)).status is VineStatus.ACTIVE
    components = await client.vines.components(vine.id)
    assert components.network is not None
    assert components.network.network_id is not None
    assert components.cluster is not None
    assert components.cluster.cluster_name == "shop-development-cluster"
    assert components.cluster.argocd_url == "https://argocd.shop.example.com"
    assert {database.name: database.endpoint for database in components.databases} == {
        "main": "shop-development-main.cluster-local.eu-west-1.vintner.invalid",
        "reports": "shop-development-reports.cluster-local.eu-west-1.vintner.invalid",
    }
    assert components.caches[0].endpoint is not None
    assert components.container_registries[0].repository_url is not None
    assert job.execution_metadata["outputs"]["databases"].keys() == {"main", "reports"}
    text = await home.log(job)
    assert text.count(": Plan to create") == text.count(": Creation complete after") == RESOURCES
    assert f"Apply complete! Resources: {RESOURCES} added" in text

    job = await home.ended(await client.vines.destroy(vine.id))
    assert (job.status, job.error_message) == (JobStatus.SUCCESS, None)
    assert job.execution_metadata["plan"] == {"add": 0, "change": 0, "destroy": RESOURCES}
    assert (await client.vines.get(vine.id)).status is VineStatus.DESTROYED
    assert f"Resources: 0 added, 0 changed, {RESOURCES} destroyed" in await home.log(job)

    tendril.signal(signal.SIGTERM)
    assert await tendril.status() == 0
    assert (await client.tendrils.list().all())[0].status is WorkerStatus.OFFLINE
    assert "claimed DEPLOY job" in tendril.text
    assert token not in tendril.text
    assert SECRET not in tendril.text
    assert os.listdir(tendril.folder / "jobs") == []


async def test_what_it_has_no_template_for_fails_with_a_sentence(
    home: Home, token: str, start_tendril: StartTendril
) -> None:
    local = await home.plant(project_name="here")
    home.identity_id = await home.identity("aws", role_arn="arn:aws:iam::000000000000:role/x")
    vine = await home.plant()
    tendril = await start_tendril(token)
    job = await home.ended(await home.client.vines.harvest(vine.id))
    assert job.status is JobStatus.FAILED
    assert job.error_message is not None
    assert job.error_message in await home.log(job)
    assert "no template for the provider aws" in job.error_message
    assert (await home.client.vines.get(vine.id)).status is VineStatus.FAILED
    # and it goes on
    job = await home.ended(await home.client.vines.plan(local.id))
    assert job.status is JobStatus.SUCCESS
    assert f"job {job.id} ended SUCCESS" in tendril.text


async def test_a_plan_of_a_killed_tendril_is_done_by_another(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    waiting = gate("plan")
    first = await start_tendril(token, f"--terraform={waiting.program}")
    job = await home.client.vines.plan(vine.id)
    await waiting.reached()
    first.signal(signal.SIGKILL)
    await first.status()

    home.let_the_lease_run_out(job)
    other = await home.client.tendrils.register(name="other")
    await start_tendril(other.token.get_secret_value())
    job = await home.ended(job)
    assert (job.status, job.attempt) == (JobStatus.SUCCESS, 2)
    assert job.worker_id == other.worker_id
    text = await home.log(job)
    assert "The Tendril was lost; the job is back in the queue." in text
    assert "Plan: 1 to add" in text


async def test_what_a_killed_tendril_left_is_removed_once_its_terraform_has_ended(
    token: str, home: Home, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    waiting = gate("apply")
    first = await start_tendril(token, f"--terraform={waiting.program}")
    await home.client.vines.harvest(vine.id)
    await waiting.reached()
    first.signal(signal.SIGKILL)
    await first.status()
    work_dir = first.folder / "jobs"
    (left,) = work_dir.iterdir()
    (left / "terraform" / "errored.tfstate").write_text("state")

    second = await start_tendril(token, f"--work-dir={work_dir}")
    await second.said("ready: ")
    assert f"Terraform runs in it: {left}" in second.text
    assert left.exists()
    waiting.tear_down()
    await waiting.is_gone()
    third = await start_tendril(token, f"--work-dir={work_dir}")
    await third.said("ready: ")

    kept = work_dir / "unsaved-states" / f"{left.name}.tfstate"
    assert not left.exists()
    assert kept.read_text() == "state"
    assert f"kept in {kept}" in third.text


async def test_a_deploy_of_a_killed_tendril_fails_and_can_be_repeated(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    waiting = gate("apply")
    first = await start_tendril(token, f"--terraform={waiting.program}")
    job = await home.client.vines.harvest(vine.id)
    await waiting.reached()
    first.signal(signal.SIGKILL)
    await first.status()

    home.let_the_lease_run_out(job)
    other = await home.client.tendrils.register(name="other")
    await start_tendril(other.token.get_secret_value())
    job = await home.ended(job)
    assert job.status is JobStatus.FAILED
    assert job.error_message is not None
    assert "Its Tendril was lost while Terraform ran." in job.error_message
    assert (await home.client.vines.get(vine.id)).status is VineStatus.FAILED

    job = await home.ended(await home.client.vines.harvest(vine.id))
    assert (job.status, job.worker_id) == (JobStatus.SUCCESS, other.worker_id)
    assert (await home.client.vines.get(vine.id)).status is VineStatus.ACTIVE


async def test_a_tendril_that_lost_its_job_stops_it_and_reports_nothing(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    waiting = gate("apply")
    slow = await start_tendril(token, f"--terraform={waiting.program}")
    job = await home.client.vines.harvest(vine.id)
    await waiting.reached()
    home.let_the_lease_run_out(job)
    other = await home.client.tendrils.register(name="other")
    await start_tendril(other.token.get_secret_value())
    failed = await home.ended(job)
    assert failed.status is JobStatus.FAILED

    # its next heartbeat, sent at once when it is drained, says that the job is lost
    slow.signal(signal.SIGTERM)
    assert await slow.status() == 0
    assert "told to stop job" in slow.text
    assert f"lost job {job.id}: its result is discarded" in slow.text
    assert await home.client.jobs.get(job.id) == failed
    await waiting.is_gone()


async def test_a_running_job_is_cancelled(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    waiting = gate("apply")
    tendril = await start_tendril(token, f"--terraform={waiting.program}")
    job = await home.client.vines.harvest(vine.id)
    await waiting.reached()
    await home.client.jobs.cancel(job.id)
    # draining sends a heartbeat at once, whose answer says what is cancelled
    tendril.signal(signal.SIGTERM)
    job = await home.ended(job)
    assert (job.status, job.error_message) == (JobStatus.CANCELLED, None)
    assert (await home.client.vines.get(vine.id)).status is VineStatus.FAILED
    assert "Plan: 1 to add" in await home.log(job)
    await waiting.is_gone()
    assert await tendril.status() == 0


async def test_signals_drain_then_cancel(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vines = [await home.plant(project_name=name) for name in ("one", "two")]
    waiting = gate("plan")
    tendril = await start_tendril(token, f"--terraform={waiting.program}")
    jobs = [await home.client.vines.plan(vine.id) for vine in vines]
    await waiting.reached()

    tendril.signal(signal.SIGTERM)
    await tendril.said("draining: claims no more jobs")
    await until(lambda: home.has_tendril(WorkerStatus.DRAINING))
    waiting.open()
    assert await tendril.status() == 0
    assert (await home.client.jobs.get(jobs[0].id)).status is JobStatus.SUCCESS
    assert (await home.client.jobs.get(jobs[1].id)).status is JobStatus.QUEUED

    waiting = gate("plan")
    tendril = await start_tendril(token, f"--terraform={waiting.program}")
    await waiting.reached()
    tendril.signal(signal.SIGINT)
    await tendril.said("draining")
    tendril.signal(signal.SIGINT)
    assert await tendril.status() == 0
    assert (await home.client.jobs.get(jobs[1].id)).status is JobStatus.CANCELLED
    await waiting.is_gone()


async def test_the_third_signal_ends_everything_at_once(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate
) -> None:
    vine = await home.plant()
    waiting = gate("plan", ignoring_interrupts=True)
    tendril = await start_tendril(token, f"--terraform={waiting.program}")
    job = await home.client.vines.plan(vine.id)
    await waiting.reached()
    for line in ("draining", "cancelling", "leaving at once"):
        tendril.signal(signal.SIGTERM)
        await tendril.said(line)
    assert await tendril.status() == 130
    await waiting.is_gone()
    assert (await home.client.jobs.get(job.id)).status is JobStatus.PROCESSING
    assert os.listdir(tendril.folder / "jobs") == []


async def test_an_outage_in_mid_job_loses_nothing(
    home: Home, token: str, start_tendril: StartTendril, gate: BuildGate, proxy: Proxy
) -> None:
    vine = await home.plant(**COMPONENTS)
    waiting = gate("apply")
    tendril = await start_tendril(
        token, f"--terraform={waiting.program}", environment={"SUPABASE_URL": proxy.url}
    )
    job = await home.client.vines.harvest(vine.id)
    await waiting.reached()
    proxy.refuse_all = True
    proxy.cut()
    waiting.open()
    await tendril.said("API away, trying on: ")
    assert (await home.client.jobs.get(job.id)).status is JobStatus.PROCESSING
    proxy.refuse_all = False
    job = await home.ended(job)
    assert (job.status, job.error_message) == (JobStatus.SUCCESS, None)
    text = await home.log(job)
    assert text.count(": Creation complete after") == RESOURCES
    assert text.rstrip().endswith("Outputs: 5")
    assert "API back" in tendril.text


async def test_without_terraform_nothing_is_claimed(
    home: Home, token: str, start_tendril: StartTendril
) -> None:
    vine = await home.plant()
    job = await home.client.vines.plan(vine.id)
    tendril = await start_tendril(token, environment={"PATH": "/nowhere"})
    assert await tendril.status() == 1
    assert tendril.text == (
        "Error: No Terraform is on PATH. "
        "Install Terraform or OpenTofu, 1.6 or newer, or name it with --terraform.\n"
    )
    assert (await home.client.jobs.get(job.id)).status is JobStatus.QUEUED


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"VINTNER_TENDRIL_TOKEN": "vt_nonsense"}, "token is not accepted"),
        ({"VINTNER_TENDRIL_TOKEN": f"vt_{uuid4()}_{'x' * 32}"}, "token is not accepted"),
        ({"SUPABASE_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"SUPABASE_URL": ""}, "SUPABASE_URL is not set"),
        ({"SUPABASE_PUBLISHABLE_KEY": "sb_publishable_wrong"}, "API key is missing or wrong"),
    ],
)
async def test_a_start_that_cannot_be_is_one_line(
    token: str, start_tendril: StartTendril, environment: dict[str, str], sentence: str
) -> None:
    tendril = await start_tendril(token, environment=environment)
    assert await tendril.status() == 1
    assert tendril.text.startswith("Error: ")
    assert sentence in tendril.text
    assert tendril.text.count("\n") == 1


async def test_a_folder_that_cannot_be_made_is_one_line(
    token: str, start_tendril: StartTendril
) -> None:
    tendril = await start_tendril(token, "--work-dir=/dev/null/jobs")
    assert await tendril.status() == 1
    assert tendril.text == "Error: Not a directory: /dev/null/jobs\n"


async def test_a_token_file_that_is_no_text_is_one_sentence(start_tendril: StartTendril) -> None:
    tendril = await start_tendril(None, "--token-file=/bin/ls")
    assert await tendril.status() == 2
    assert "Error: /bin/ls holds no token: it is not a text." in tendril.text
    assert "Traceback" not in tendril.text


async def test_a_token_is_needed(start_tendril: StartTendril) -> None:
    tendril = await start_tendril(None)
    assert await tendril.status() == 2
    assert "set VINTNER_TENDRIL_TOKEN or name a --token-file" in tendril.text


async def test_settings_come_from_files(
    home: Home, token: str, start_tendril: StartTendril, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{token}\n")
    (tmp_path / ".env").write_text(f"SUPABASE_URL='{home.client.url}'\n")
    tendril = await start_tendril(
        None, f"--token-file={tmp_path / 'token'}", environment={"SUPABASE_URL": None}
    )
    await tendril.said("ready: ")
    tendril.signal(signal.SIGTERM)
    assert await tendril.status() == 0
