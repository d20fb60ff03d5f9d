"""What the database tells a Tendril besides its jobs: to drain, and that there is a newer one."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest

from support.home import Home
from support.tendrils import BuildGate, StartTendril
from vintner_client.models import JobStatus, WorkerStatus
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
def release(supabase_stack: SupabaseStack) -> Iterator[str]:
    """A release of Tendril that is newer than any other."""
    version = f"1000.{secrets.randbelow(10**9)}.0"
    with psycopg.connect(supabase_stack.admin_db_url, autocommit=True) as database:
        database.execute("insert into public.worker_releases (version) values (%s)", [version])
        yield version
        database.execute("delete from public.worker_releases where version = %s", [version])


async def test_one_that_its_owner_drains_finishes_and_ends(
    home: Home, start_tendril: StartTendril, gate: BuildGate, release: str
) -> None:
    made = await home.client.tendrils.register(name="laptop")
    token = made.token.get_secret_value()
    vines = [await home.plant(project_name=name) for name in ("one", "two")]
    waiting = gate("plan")
    tendril = await start_tendril(token, f"--terraform={waiting.program}")
    jobs = [await home.client.vines.plan(vine.id) for vine in vines]
    await waiting.reached()

    assert (await home.client.tendrils.drain(made.worker_id)).status is WorkerStatus.DRAINING
    waiting.open()
    assert await tendril.status() == 0
    assert (await home.client.jobs.get(jobs[0].id)).status is JobStatus.SUCCESS
    assert (await home.client.jobs.get(jobs[1].id)).status is JobStatus.QUEUED
    assert (await home.client.tendrils.list().all())[0].status is WorkerStatus.OFFLINE
    assert tendril.text.count("told to drain") == 1
    assert tendril.text.count(f"Tendril {release} is out") == 1

    await start_tendril(token)
    assert (await home.ended(jobs[1])).status is JobStatus.SUCCESS
