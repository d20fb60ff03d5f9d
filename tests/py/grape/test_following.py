"""grape follows a job that a Tendril runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from support._async.people import PASSWORD, client_of, tendril_of
from vintner_client import AsyncVintner
from vintner_client.models import Job, JobStatus, NewLogChunk, StreamType
from vintner_local.pytest_plugin import SupabaseStack

from .conftest import Grape


@pytest.fixture
async def tendril(
    grape: Grape, email: str, supabase_stack: SupabaseStack
) -> AsyncIterator[AsyncVintner]:
    """A client signed in as a Tendril of grape's user."""
    async with client_of(supabase_stack) as owner, client_of(supabase_stack) as client:
        await owner.auth.sign_in(email=email, password=PASSWORD)
        await tendril_of(owner, client)
        yield client


async def claim(tendril: AsyncVintner) -> Job:
    async with asyncio.timeout(20):
        # the queue is in the database, which says nothing of its own accord
        while (job := await tendril.lease.claim_next_job()) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return await tendril.lease.start_job(job)


async def write(tendril: AsyncVintner, job: Job, seq: int, text: str) -> None:
    chunk = NewLogChunk(seq=seq, log_chunk=text, stream_type=StreamType.STDOUT)
    await tendril.lease.append_logs(job, [chunk])


async def test_harvest_prints_the_log_as_it_grows_and_ends_with_the_job(
    grape: Grape, planted: Callable[..., str], tendril: AsyncVintner
) -> None:
    planted()
    process = grape.start("harvest", "shop")
    assert process.stdout is not None
    job = await claim(tendril)
    await write(tendril, job, 1, "first\n")
    assert await asyncio.to_thread(process.stdout.readline) == "first\n"
    assert process.poll() is None
    await write(tendril, job, 2, "second, ")
    await write(tendril, job, 3, "to the line's end\n")
    outputs = {"network": {"network_id": "vpc-1"}}
    await tendril.lease.complete_job(job, status=JobStatus.SUCCESS, outputs=outputs)

    out, err = await asyncio.to_thread(process.communicate, timeout=20)

    assert process.returncode == 0
    assert out == "second, to the line's end\n"
    assert "No Tendril" not in err
    assert "DEPLOY of shop/development succeeded in" in err
    assert ["output", "network", "", "network_id", "vpc-1"] in grape("status", "shop").rows
    assert grape("status", "shop").rows[0][5] == "ACTIVE"


async def test_a_job_that_fails_is_a_failure_with_its_reason(
    grape: Grape, planted: Callable[..., str], tendril: AsyncVintner
) -> None:
    planted()
    process = grape.start("plan", "shop/development")
    job = await claim(tendril)
    await write(tendril, job, 1, "trying\n")
    await tendril.lease.complete_job(
        job, status=JobStatus.FAILED, error_message="Terraform ended\nwith status 1."
    )

    out, err = await asyncio.to_thread(process.communicate, timeout=20)

    assert process.returncode == 1
    assert out == "trying\n"
    assert err.splitlines()[-1] == (
        "grape: PLAN of shop/development failed: Terraform ended with status 1."
    )
    again = grape("logs", "-f", str(job.id))
    assert (again.status, again.out) == (1, "trying\n")
    assert grape("logs", "shop").out == "trying\n"


async def test_a_new_vine_takes_the_name_of_a_destroyed_one(
    grape: Grape, planted: Callable[..., str], tendril: AsyncVintner
) -> None:
    first = planted()
    for command in (("harvest", "shop"), ("destroy", "shop", "--yes")):
        assert grape(*command, "--detach").status == 0
        await tendril.lease.complete_job(await claim(tendril), status=JobStatus.SUCCESS)
    gone = grape("harvest", "shop")
    assert gone.status == 1
    assert "The vine shop/development is DESTROYED." in gone.err
    second = grape(
        "plant", "-f", "-", "--vineyard", "webshop", stdin="project_name: shop\nregion: x"
    ).out.strip()

    assert grape("status", "shop").rows[0][:2] == ["vine", second]
    assert grape("status", first).rows[0][5] == "DESTROYED"
