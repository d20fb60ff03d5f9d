"""A Tendril's identity: what its token opens, and when it no longer does."""

from __future__ import annotations

from typing import cast

import httpx
import psycopg
import pytest

from support._async.people import client_of, plant
from vintner_client import AsyncVintner, errors
from vintner_client.models import JobStatus, WorkerStatus
from vintner_local.pytest_plugin import SupabaseStack


async def test_a_new_token_cuts_off_the_old_one(
    ann: AsyncVintner, bob: AsyncVintner, tendril: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    worker_id = tendril.auth.user_id
    job = await ann.vines.plan((await plant(ann)).id)
    held = await tendril.lease.claim_next_job()
    assert held is not None
    with pytest.raises(errors.NotFound):
        await bob.tendrils.rotate_token(worker_id)
    await tendril.lease.heartbeat(version="1.0.0", running_job_ids=[job.id])

    made = await ann.tendrils.rotate_token(worker_id)

    assert made.worker_id == worker_id
    assert (await ann.jobs.get(job.id)).status is JobStatus.QUEUED
    # its access token has most of an hour left, and it tries its token again
    with pytest.raises(errors.WrongCredentials):
        await tendril.lease.context(held)
    async with client_of(supabase_stack) as client:
        await client.auth.sign_in_tendril(token=made.token)
        await client.lease.heartbeat(version="1.0.0")
        again = await client.lease.claim_next_job()
        assert again is not None
        assert (again.id, again.attempt) == (job.id, 2)


async def test_a_removed_one_is_gone(ann: AsyncVintner, tendril: AsyncVintner) -> None:
    await ann.tendrils.remove(tendril.auth.user_id)
    assert await ann.tendrils.list().all() == []
    with pytest.raises(errors.WrongCredentials):
        await tendril.lease.heartbeat(version="1.0.0")
    # its name is free again
    await ann.tendrils.register(name="tendril")


async def test_one_that_was_signed_out_elsewhere_signs_in_anew(
    tendril: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    before = tendril.auth.session
    with psycopg.connect(supabase_stack.admin_db_url) as database:
        database.execute("delete from auth.sessions where user_id = %s", [tendril.auth.user_id])
    await tendril.lease.heartbeat(version="1.0.0")
    assert before is not None
    assert tendril.auth.session is not None
    assert tendril.auth.session.access_token != before.access_token


async def test_draining_is_told_by_the_heartbeat(ann: AsyncVintner, tendril: AsyncVintner) -> None:
    assert not (await tendril.lease.heartbeat(version="1.0.0")).drain
    drained = await ann.tendrils.drain(tendril.auth.user_id)
    assert drained.status is WorkerStatus.DRAINING
    with pytest.raises(errors.WorkerUnavailable):
        await tendril.lease.claim_next_job()
    assert (await tendril.lease.heartbeat(version="1.0.0")).drain


async def test_two_of_one_owner_have_two_names(ann: AsyncVintner) -> None:
    await ann.tendrils.register(name="cellar")
    with pytest.raises(errors.WorkerExists, match="You have a Tendril cellar already"):
        await ann.tendrils.register(name="cellar")


async def test_its_password_is_its_token_for_good(
    ann: AsyncVintner, anyone: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    made = await ann.tendrils.register(name="cellar")
    session = await anyone.auth.sign_in_tendril(token=made.token)
    async with httpx.AsyncClient(
        base_url=supabase_stack.url, headers={"apikey": supabase_stack.publishable_key}
    ) as http:

        async def change_password(token: str, password: str) -> int:
            return (
                await http.put(
                    "/auth/v1/user",
                    json={"password": password},
                    headers={"Authorization": f"Bearer {token}"},
                )
            ).status_code

        assert await change_password(session.access_token, "a thief's own") >= 400
        person = ann.auth.session
        assert person is not None
        assert await change_password(person.access_token, "another of my own") == 200
        # what a member reads in the published table proves nothing
        found = await ann.table("workers").select("*").eq("id", str(made.worker_id)).execute()
        (row,) = cast("list[dict[str, str]]", found.data)
        token_hash = row["token_hash"]
        tried = await http.post(
            "/auth/v1/token?grant_type=password",
            json={"email": f"{made.worker_id}@tendril.invalid", "password": token_hash},
        )
        assert tried.status_code == 400
    await anyone.auth.sign_in_tendril(token=made.token)
