"""A worker within this process, where its clocks can be shortened."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from support._async.people import client_of
from support.faulty import Faulty
from support.home import Home
from support.tendrils import BuildGate
from support.waiting import until
from tendril import outage
from tendril import worker as worker_module
from tendril.job_runner import JobRunner
from tendril.outage import Outages
from tendril.terraform_binary import find_terraform
from tendril.worker import TendrilRefused, Worker
from vintner_client import AsyncVintner
from vintner_client.models import JobStatus, VineStatus
from vintner_local.pytest_plugin import SupabaseStack


@asynccontextmanager
async def worker_on(
    stack: SupabaseStack, home: Home, url: str, program: str, work_dir: Path
) -> AsyncIterator[tuple[Worker, UUID]]:
    """A worker that speaks to a URL of the stack; gives its id too."""
    registered = await home.client.tendrils.register(name="tendril")
    async with AsyncVintner(url=url, key=stack.publishable_key) as client:
        await client.auth.sign_in_tendril(token=registered.token)
        outages = Outages()
        binary = await find_terraform(program or None)
        runner = JobRunner(client, binary, work_dir, outages)
        worker = Worker(client, runner, outages, version="0.1.0", poll_interval=0.1)
        yield worker, registered.worker_id


async def test_a_removed_tendril_lets_terraform_end_before_it_leaves(
    home: Home, gate: BuildGate, supabase_stack: SupabaseStack, tmp_path: Path
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    job = await home.client.vines.harvest(vine.id)
    waiting = gate("apply")
    url, program = supabase_stack.url, str(waiting.program)
    async with worker_on(supabase_stack, home, url, program, tmp_path) as (worker, own_id):
        working = asyncio.create_task(worker.run())
        await waiting.reached()
        home.remove_tendril(own_id)
        worker.drain()  # sends a heartbeat at once
        with pytest.raises(TendrilRefused, match="no longer knows this Tendril"):
            await asyncio.wait_for(working, 20)
    await waiting.is_gone()
    # the Tendril reported it itself: what a killed one leaves is resolved by the database
    job = await home.client.jobs.get(job.id)
    assert job.status is JobStatus.FAILED
    assert job.error_message is not None
    assert "Terraform was interrupted" in job.error_message


async def test_refused_heartbeats_are_tried_again_for_as_long_as_a_lease_is_trusted(
    home: Home,
    gate: BuildGate,
    supabase_stack: SupabaseStack,
    faulty: Faulty,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "LEASE_MARGIN_SECONDS", 54)
    vine = await home.plant(queues=[{"name": "mail"}])
    job = await home.client.vines.harvest(vine.id)
    waiting = gate("apply")
    url, program = faulty.url, str(waiting.program)
    async with worker_on(supabase_stack, home, url, program, tmp_path) as (worker, _):
        # an interrupted job shows that the lease, which no heartbeat renews, came in doubt
        working = asyncio.create_task(worker.run())
        await waiting.reached()
        faulty.answers["heartbeat"] = 404
        worker.drain()
        await until(lambda: faulty.failed["heartbeat"] >= 2)
        assert not working.done()
        job = await home.ended(job)
        assert job.error_message is not None
        assert "for longer than the job's lease" in job.error_message
        await asyncio.wait_for(working, 20)
        with pytest.raises(TendrilRefused, match="does not take this Tendril's heartbeats"):
            await worker.run()


async def test_a_state_that_cannot_be_saved_is_kept_and_named(
    home: Home, supabase_stack: SupabaseStack, faulty: Faulty, tmp_path: Path
) -> None:
    faulty.answers["put_terraform_state"] = 413
    vine = await home.plant(queues=[{"name": "mail"}])
    job = await home.client.vines.harvest(vine.id)
    async with worker_on(supabase_stack, home, faulty.url, "", tmp_path) as (worker, _):
        working = asyncio.create_task(worker.run())
        job = await home.ended(job)
        worker.drain()
        await asyncio.wait_for(working, 20)
    assert job.status is JobStatus.FAILED
    (kept,) = (tmp_path / "unsaved-states").iterdir()
    assert os.listdir(tmp_path) == ["unsaved-states"]
    assert f"vine-{vine.id}-job-{job.id}" in kept.name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    made = {resource["name"] for resource in json.loads(kept.read_text())["resources"]}
    assert "queue" in made
    assert job.error_message is not None
    assert str(kept) in job.error_message
    assert str(kept) in await home.log(job)


async def test_a_job_whose_outputs_are_too_large_ends_without_them(
    home: Home, supabase_stack: SupabaseStack, faulty: Faulty, tmp_path: Path
) -> None:
    faulty.answers["complete_job"] = 413
    faulty.says["complete_job"] = {
        "code": "PT413",
        "details": "too_large",
        "hint": "Send less.",
        "message": "What Terraform put out has 300000 bytes; at most 262144 are taken.",
    }
    faulty.times["complete_job"] = 1
    vine = await home.plant(queues=[{"name": "mail"}])
    job = await home.client.vines.harvest(vine.id)
    async with worker_on(supabase_stack, home, faulty.url, "", tmp_path) as (worker, _):
        working = asyncio.create_task(worker.run())
        job = await home.ended(job)
        worker.drain()
        await asyncio.wait_for(working, 20)
    assert job.status is JobStatus.SUCCESS
    assert job.error_message is not None
    assert job.error_message.startswith("Its outputs are lost: What Terraform put out has")
    assert "outputs" not in job.execution_metadata


async def test_a_state_that_terraform_could_not_save_is_saved_afterwards(
    home: Home, supabase_stack: SupabaseStack, faulty: Faulty, tmp_path: Path
) -> None:
    faulty.answers["put_terraform_state"] = 404
    faulty.times["put_terraform_state"] = 1
    vine = await home.plant(queues=[{"name": "mail"}])
    job = await home.client.vines.harvest(vine.id)
    async with worker_on(supabase_stack, home, faulty.url, "", tmp_path) as (worker, _):
        working = asyncio.create_task(worker.run())
        job = await home.ended(job)
        plan = await home.ended(await home.client.vines.plan(vine.id))
        worker.drain()
        await asyncio.wait_for(working, 20)
    assert job.status is JobStatus.FAILED
    assert job.error_message is not None
    assert "Tendril has saved the state" in job.error_message
    assert plan.execution_metadata["plan"]["add"] == 0
    assert os.listdir(tmp_path) == []


async def test_a_job_whose_context_cannot_be_had_fails_with_the_reason(
    home: Home,
    supabase_stack: SupabaseStack,
    faulty: Faulty,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(outage, "LONGEST_DELAY", 0.01)
    faulty.answers["get_job_context"] = 500
    job = await home.client.vines.plan((await home.plant()).id)
    async with worker_on(supabase_stack, home, faulty.url, "", tmp_path) as (worker, _):
        working = asyncio.create_task(worker.run())
        job = await home.ended(job)
        worker.drain()
        await asyncio.wait_for(working, 20)
    assert job.status is JobStatus.FAILED
    assert job.error_message is not None
    assert job.error_message.startswith("The job could not be begun: ")
    assert faulty.failed["get_job_context"] == outage.MOST_FAULTS


async def test_a_cancelled_job_does_not_wait_for_its_context(
    home: Home, supabase_stack: SupabaseStack, faulty: Faulty, tmp_path: Path
) -> None:
    faulty.answers["get_job_context"] = 503
    job = await home.client.vines.plan((await home.plant()).id)
    async with worker_on(supabase_stack, home, faulty.url, "", tmp_path) as (worker, _):
        working = asyncio.create_task(worker.run())
        await until(lambda: faulty.failed["get_job_context"] >= 2)
        worker.drain()
        worker.cancel_running()
        await asyncio.wait_for(working, 20)
    assert (await home.client.jobs.get(job.id)).status is JobStatus.CANCELLED


async def test_terraform_is_stopped_before_the_lease_may_be_gone(
    home: Home,
    gate: BuildGate,
    supabase_stack: SupabaseStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vine = await home.plant(queues=[{"name": "mail"}])
    job = await home.client.vines.harvest(vine.id)
    waiting = gate("apply")
    registered = await home.client.tendrils.register(name="tendril")
    async with client_of(supabase_stack) as client:
        await client.auth.sign_in_tendril(token=registered.token)
        outages = Outages()
        binary = await find_terraform(str(waiting.program))
        runner = JobRunner(client, binary, tmp_path, outages)
        worker = Worker(client, runner, outages, version="0.1.0", poll_interval=0.1)
        working = asyncio.create_task(worker.run())
        await waiting.reached()
        # the heartbeat that draining sends is trusted for half a second of the lease's 60
        monkeypatch.setattr(worker_module, "LEASE_MARGIN_SECONDS", 59.5)
        worker.drain()
        await asyncio.wait_for(working, 10)
    await waiting.is_gone()
    job = await home.client.jobs.get(job.id)
    assert job.status is JobStatus.FAILED
    assert job.error_message is not None
    assert "for longer than the job's lease" in job.error_message
    assert (await home.client.vines.get(vine.id)).status is VineStatus.FAILED
