"""Live stores behind a bad network: they tell no lies, and find their way back."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import psycopg
import pytest

from support._async.people import plant
from support.proxy import Proxy
from support.waiting import until
from vintner_client import AsyncVintner, errors
from vintner_client._live import store as store_module
from vintner_client._live.store import AsyncStore
from vintner_client.models import Job, JobFilter, JobStatus, Vine
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
async def vine(ann: AsyncVintner) -> Vine:
    return await plant(ann)


@pytest.fixture
def soon_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched a second ago is fetched again."""
    monkeypatch.setattr(store_module, "STALE_AFTER", 1.0)


@pytest.fixture
def never_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched for being old."""
    monkeypatch.setattr(store_module, "STALE_AFTER", 3600.0)


def shows(jobs: AsyncStore[Job, JobFilter], job: Job) -> bool:
    return jobs.get(job.id) == job


def store_tasks() -> int:
    return sum(task.get_name() == "vintner-store" for task in asyncio.all_tasks())


@pytest.mark.usefixtures("never_stale")
async def test_what_happened_while_the_connection_was_broken_is_shown(
    far: AsyncVintner, ann: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    await ann.vines.plan(vine.id)
    async with far.live.jobs() as jobs:
        await until(lambda: proxy.live_connections == 1)
        for round_ in range(3):
            proxy.refuse_live = True
            proxy.cut(only_live=True)
            gone = await ann.jobs.cancel(jobs.items[0].id)
            new = await ann.vines.plan(vine.id)
            proxy.refuse_live = False
            await until(partial(shows, jobs, new), 60)
            assert shows(jobs, gone)
            assert len(jobs.items) == round_ + 2


@pytest.mark.usefixtures("soon_stale")
async def test_a_store_is_right_where_there_is_no_realtime(
    far: AsyncVintner, ann: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    proxy.refuse_live = True
    async with far.live.vineyards() as vineyards:
        assert vineyards.items[0].vines == (vine,)
        await ann.vines.delete(vine.id)
        await until(lambda: vineyards.items[0].vines == ())


@pytest.mark.usefixtures("soon_stale")
async def test_what_a_server_drops_without_a_word_is_fetched(
    far: AsyncVintner, ann: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    async with far.live.jobs() as jobs:
        await until(lambda: proxy.live_connections == 1)
        proxy.mute_live = True
        job = await ann.vines.plan(vine.id)
        await until(lambda: jobs.get(job.id) == job)


async def test_what_was_fetched_less_than_30_seconds_ago_is_not_fetched_again(
    far: AsyncVintner, ann: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    proxy.refuse_live = True
    now = 1000.0
    jobs = far.live.jobs()
    jobs._clock = lambda: now
    async with jobs:
        assert jobs.items == ()
    job = await ann.vines.plan(vine.id)
    now += 29.9
    async with jobs:
        assert jobs.items == ()
    now += 0.2
    async with jobs:
        assert list(jobs.items) == [job]


@pytest.mark.usefixtures("soon_stale")
async def test_a_server_that_is_away_is_waited_for(
    far: AsyncVintner, ann: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    first = await ann.vines.plan(vine.id)
    async with far.live.jobs() as jobs:
        proxy.refuse_all = True
        proxy.cut()
        await until(lambda: jobs.error is not None, 60)
        assert isinstance(jobs.error, errors.ConnectionFailed)
        assert list(jobs.items) == [first]
        with pytest.raises(errors.ConnectionFailed):
            await jobs.more()
        assert jobs.pages == 1
        second = await ann.vines.plan(vine.id)
        proxy.refuse_all = False
        await until(lambda: jobs.items == (second, first), 60)
        await until(lambda: jobs.error is None)


async def test_a_server_that_is_not_there_is_told_at_once(far: AsyncVintner, proxy: Proxy) -> None:
    proxy.refuse_all = True
    proxy.cut()
    jobs = far.live.jobs()
    with pytest.raises(errors.ConnectionFailed):
        await jobs.open()
    assert store_tasks() == 0
    proxy.refuse_all = False
    async with jobs:
        assert jobs.items == ()


@pytest.mark.usefixtures("never_stale")
async def test_strangers_rows_come_neither_in_nor_out(
    far: AsyncVintner, ann: AsyncVintner, bob: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    told: list[Any] = []
    async with far.live.vineyards() as vineyards:
        await until(lambda: proxy.live_connections == 1)
        later = await plant(ann)
        await until(lambda: len(vineyards.items) == 2 and vineyards.items[1].vines)
        vineyards.on_change(told.append)
        # everybody hears of a DELETE
        stranger = await plant(bob)
        await bob.vines.delete(stranger.id)
        await bob.vineyards.delete(stranger.vineyard_id)
        await ann.vines.delete(later.id)
        await until(lambda: told)
        assert [len(each.vines) for each in told[0]] == [1, 0]
        assert len(told) == 1


@pytest.mark.usefixtures("never_stale")
async def test_a_long_value_that_a_change_leaves_out_stays(
    far: AsyncVintner,
    ann: AsyncVintner,
    tendril: AsyncVintner,
    vine: Vine,
    supabase_stack: SupabaseStack,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", store_module.__name__)
    await ann.vines.plan(vine.id)
    held = await tendril.lease.claim_next_job()
    assert held is not None
    await tendril.lease.start_job(held)
    # longer than PostgreSQL keeps in the row itself, however well it is packed
    noise = {f"{number * 2654435761 % 2**32:x}": number for number in range(2000)}
    done = await tendril.lease.complete_job(
        held, status=JobStatus.SUCCESS, execution_metadata={"noise": noise}
    )

    async def touch() -> Job:
        with psycopg.connect(supabase_stack.admin_db_url) as database:
            database.execute(
                "update public.provision_jobs set attempt = attempt + 1 where id = %s", [done.id]
            )
        return await ann.jobs.get(done.id)

    async with far.live.jobs() as jobs:
        for _ in range(3):
            touched = await touch()
            await until(partial(shows, jobs, touched))
        assert touched.execution_metadata["noise"] == noise
        assert "does not say enough" not in caplog.text
        # one that the store does not know is fetched
        jobs.remove(done.id)
        touched = await touch()
        await until(partial(shows, jobs, touched))
        assert "does not say enough" in caplog.text


async def test_several_stores_share_one_socket(
    far: AsyncVintner, ann: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    async with (
        far.live.jobs() as jobs,
        far.live.jobs(page_size=1) as newest,
        far.live.tendrils() as tendrils,
        far.live.vineyards() as vineyards,
    ):
        for _ in range(2):
            job = await ann.vines.plan(vine.id)
        await until(lambda: len(jobs.items) == 2)
        await until(lambda: job in newest.items)
        assert (len(tendrils.items), len(vineyards.items)) == (0, 1)
        assert proxy.live_connections == 1
    await until(lambda: proxy.live_connections == 0)
    assert store_tasks() == 0


async def test_in_a_storm_it_ends_as_the_server_has_it(
    far: AsyncVintner, ann: AsyncVintner, tendril: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    seed = random.randrange(2**32)  # noqa: S311
    print(f"seed {seed}")
    dice = random.Random(seed)  # noqa: S311
    other = await plant(ann)
    wanted = JobFilter(status=[JobStatus.QUEUED, JobStatus.CLAIMED])
    async with (
        far.live.jobs() as jobs,
        far.live.jobs(show=wanted, page_size=2) as waiting,
        far.live.vineyards() as vineyards,
    ):
        for _ in range(60):
            match dice.randrange(7):
                case 0 | 1:
                    await ann.vines.plan(dice.choice([vine, other]).id)
                case 2:
                    job = await tendril.lease.claim_next_job()
                    if job is not None:
                        await tendril.lease.start_job(job)
                        if dice.random() < 0.7:
                            await tendril.lease.complete_job(job, status=JobStatus.FAILED)
                case 3:
                    queued = await ann.jobs.list(status=JobStatus.QUEUED).first()
                    if queued is not None:
                        jobs.add_or_update(await ann.jobs.cancel(queued.id))
                case 4:
                    await ann.vineyards.update(vine.vineyard_id, name=f"name {dice.random()}")
                case 5:
                    proxy.cut(only_live=dice.random() < 0.5)
                case 6:
                    proxy.mute_live = not proxy.mute_live
                    proxy.cut(only_live=True)
        proxy.mute_live = False
        proxy.cut(only_live=True)
        every = await ann.jobs.list().all()
        first = await ann.jobs.list(status=[JobStatus.QUEUED, JobStatus.CLAIMED]).take(2)
        await until(lambda: list(jobs.items) == every, 60)
        await until(lambda: list(waiting.items) == first, 60)
        names = [each.name for each in await ann.vineyards.list(order="created_at").all()]
        await until(lambda: [each.name for each in vineyards.items] == names, 60)


async def test_closing_the_client_closes_its_stores(
    far: AsyncVintner, proxy: Proxy, vine: Vine
) -> None:
    jobs = far.live.jobs()
    await jobs.open()
    await until(lambda: proxy.live_connections == 1)
    await far.close()
    assert store_tasks() == 0
    await until(lambda: proxy.live_connections == 0)
    with pytest.raises(errors.ClientClosed):
        await jobs.open()


async def test_a_store_that_is_closed_while_it_opens_follows_nothing(
    far: AsyncVintner, proxy: Proxy
) -> None:
    jobs = far.live.jobs()
    opening = asyncio.create_task(jobs.open())
    await asyncio.sleep(0)  # it asks the server now
    await jobs.close()
    with pytest.raises(errors.ClientClosed):
        await opening
    assert store_tasks() == 0
    await until(lambda: proxy.live_connections == 0)
