"""Live stores: they show what the server has, whoever changed it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest

from support._async.people import client_of, plant
from vintner_client import AsyncVintner, errors
from vintner_client._live import store as store_module
from vintner_client._storage import FileStorage, MemoryStorage
from vintner_client.models import (
    AccountRole,
    Job,
    JobFilter,
    JobStatus,
    JobType,
    TendrilFilter,
    VineStatus,
    VineyardFilter,
    WorkerStatus,
)
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture(autouse=True)
def realtime_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests see came by Realtime: nothing is fetched for being old."""
    monkeypatch.setattr(store_module, "STALE_AFTER", 3600.0)


async def shows(store: Any, condition: Callable[[Any], object]) -> Any:
    """The items, once a condition holds for them."""
    async with aclosing(store.changes()) as changes:
        async for items in changes:
            if condition(items):
                return items
    raise AssertionError


async def plans(ann: AsyncVintner, count: int) -> list[Job]:
    """So many PLANs of one vine, the newest first."""
    vine = await plant(ann)
    jobs = [await ann.vines.plan(vine.id) for _ in range(count)]
    return jobs[::-1]


async def test_jobs_are_shown_as_they_go(ann: AsyncVintner, tendril: AsyncVintner) -> None:
    vine = await plant(ann)
    first = await ann.vines.plan(vine.id)
    async with ann.live.jobs() as jobs:
        assert list(jobs.items) == [first]
        assert jobs.get(first.id) == first
        assert jobs.get(uuid4()) is None
        second = await ann.vines.plan(vine.id)
        assert await shows(jobs, lambda items: len(items) == 2) == (second, first)

        job = await tendril.lease.claim_next_job()
        assert job is not None
        await shows(jobs, lambda items: items[1].status is JobStatus.CLAIMED)
        await tendril.lease.start_job(job)
        await shows(jobs, lambda items: items[1].status is JobStatus.PROCESSING)
        done = await tendril.lease.complete_job(job, status=JobStatus.SUCCESS)
        await shows(jobs, lambda items: items[1].status is JobStatus.SUCCESS)
        assert jobs.get(first.id) == done
        await ann.vines.delete(vine.id)
        await shows(jobs, lambda items: not items)


async def test_tendrils_are_shown_as_they_come_and_go(
    ann: AsyncVintner, tendril: AsyncVintner
) -> None:
    worker_id = tendril.auth.user_id
    async with ann.live.tendrils(show=TendrilFilter(name="tendril")) as tendrils:
        assert [each.status for each in tendrils.items] == [WorkerStatus.ONLINE]
        await ann.tendrils.drain(worker_id)
        await shows(tendrils, lambda items: items[0].status is WorkerStatus.DRAINING)
        await ann.tendrils.register(name="another")
        await ann.tendrils.rename(worker_id, name="old")
        await shows(tendrils, lambda items: not items)
        await ann.tendrils.rename(worker_id, name="tendril")
        await shows(tendrils, lambda items: items)
        await ann.tendrils.remove(worker_id)
        await shows(tendrils, lambda items: not items)


async def test_vineyards_are_shown_with_their_vines(ann: AsyncVintner, bob: AsyncVintner) -> None:
    async with ann.live.vineyards() as vineyards:
        assert list(vineyards.items) == []
        vine = await plant(ann)
        (one,) = await shows(vineyards, lambda items: items and items[0].vines)
        assert one.vines == (vine,)
        await ann.vines.harvest(vine.id)
        (one,) = await shows(vineyards, lambda items: items[0].vines[0].status is VineStatus.QUEUED)
        assert one.vines == (await ann.vines.get(vine.id),)

        other = await plant(ann)
        _, two = await shows(vineyards, lambda items: len(items) == 2 and items[1].vines)
        assert two.vines == (other,)
        await ann.vineyards.update(two.id, name="cellar")
        await shows(vineyards, lambda items: items[1].name == "cellar")
        # whoever listens is told that it is gone
        await bob.vines.delete((await plant(bob)).id)
        await ann.vines.delete(other.id)
        await shows(vineyards, lambda items: not items[1].vines)
        await ann.vineyards.delete(two.id)
        assert len(await shows(vineyards, lambda items: len(items) == 1)) == 1


async def test_a_filter_holds_for_what_changes(ann: AsyncVintner, tendril: AsyncVintner) -> None:
    newest, oldest = await plans(ann, 2)
    waiting = JobFilter(status=[JobStatus.QUEUED], vine_id=newest.vine_id)
    async with ann.live.jobs(show=waiting) as jobs:
        assert list(jobs.items) == [newest, oldest]
        job = await tendril.lease.claim_next_job()
        assert job is not None
        assert await shows(jobs, lambda items: len(items) == 1) == (newest,)
        await plans(ann, 1)
        assert newest.vine_id is not None
        late = await ann.vines.plan(newest.vine_id)
        assert await shows(jobs, lambda items: len(items) == 2) == (late, newest)

        await jobs.show(JobFilter(status=JobStatus.CLAIMED, job_type=JobType.PLAN))
        assert [each.id for each in jobs.items] == [oldest.id]
        assert jobs.filter.status is JobStatus.CLAIMED
        await tendril.lease.start_job(job)
        await shows(jobs, lambda items: not items)
        await tendril.lease.complete_job(job, status=JobStatus.FAILED)
        again = await tendril.lease.claim_next_job()
        assert again is not None
        assert await shows(jobs, lambda items: len(items) == 1) == (again,)


async def test_a_wrong_filter_changes_nothing(ann: AsyncVintner) -> None:
    (job,) = await plans(ann, 1)
    async with ann.live.jobs() as jobs:
        with pytest.raises(errors.InvalidInput, match="is not an id"):
            await jobs.show(JobFilter(vine_id="nonsense"))
        assert (jobs.items, jobs.filter) == ((job,), JobFilter())
        await jobs.show(JobFilter(vine_id=str(job.vine_id).upper()))
        assert (jobs.items, jobs.filter) == ((job,), JobFilter(vine_id=job.vine_id))


async def test_pages_come_one_after_the_other(ann: AsyncVintner) -> None:
    found = await plans(ann, 5)
    async with ann.live.jobs(page_size=2) as jobs:
        assert (jobs.items, jobs.has_more, jobs.pages) == (tuple(found[:2]), True, 1)
        await jobs.more()
        assert (jobs.items, jobs.has_more, jobs.pages) == (tuple(found[:4]), True, 2)
        # what is new stands in the pages, what is beyond them does not
        await ann.jobs.cancel(found[4].id)
        cancelled = await ann.jobs.cancel(found[3].id)
        assert found[2].vine_id is not None
        late = await ann.vines.plan(found[2].vine_id)
        wanted = (late, *found[:3], cancelled)
        await shows(jobs, lambda items: items == wanted)
        await jobs.more()
        assert (len(jobs.items), jobs.has_more) == (6, False)
        await jobs.show(JobFilter(status=JobStatus.CANCELLED))
        assert (len(jobs.items), jobs.pages) == (2, 1)


async def test_filter_and_pages_are_remembered(
    ann: AsyncVintner, supabase_stack: SupabaseStack, tmp_path: Any
) -> None:
    found = await plans(ann, 3)
    storage = FileStorage(tmp_path)
    for first in (True, False):
        async with client_of(supabase_stack, storage=storage, session=ann.auth.session) as client:
            async with client.live.jobs(page_size=1, remember="dashboard") as jobs:
                if first:
                    await jobs.show(JobFilter(status=[JobStatus.QUEUED]))
                    await jobs.more()
                assert jobs.filter == JobFilter(status=[JobStatus.QUEUED])
                assert (jobs.items, jobs.pages) == (tuple(found[:2]), 2)
            # another name, and none
            async with client.live.jobs(remember="list", show=JobFilter(status=[])) as jobs:
                assert jobs.filter == JobFilter(status=[])
            async with client.live.jobs() as jobs:
                assert jobs.items == tuple(found)


async def test_what_was_remembered_wrongly_is_nothing(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    storage = MemoryStorage()
    wanted = VineyardFilter(name="webshop")
    async with client_of(supabase_stack, storage=storage, session=ann.auth.session) as client:
        for wrong in ('{"name": 1}, "pages": 2', '{"account_id": "me"}', '{}, "pages": 0', "[]"):
            kept = f'{{"filter": {wrong}}}'
            storage.set_item(f"vineyards old {supabase_stack.url}", kept)
            vineyards = client.live.vineyards(show=wanted, remember="old")
            assert (vineyards.filter, vineyards.pages) == (wanted, 1)


async def test_a_call_shows_before_it_is_made(ann: AsyncVintner) -> None:
    (job,) = await plans(ann, 1)
    async with ann.live.jobs() as jobs:
        with jobs.optimistic(job.id, status=JobStatus.CANCELLED):
            assert jobs.items[0].status is JobStatus.CANCELLED
            assert jobs.items[0].completed_at is None
            await ann.jobs.cancel(job.id)
        assert jobs.items[0].status is JobStatus.CANCELLED
        await shows(jobs, lambda items: items[0].completed_at is not None)
        # what the store has not is passed over
        with jobs.optimistic(uuid4(), status=JobStatus.CANCELLED):
            assert len(jobs.items) == 1


async def test_a_call_that_fails_shows_no_longer(ann: AsyncVintner) -> None:
    vine = await plant(ann)
    async with ann.live.vineyards() as vineyards:

        async def destroy() -> None:
            with vineyards.optimistic(vine.id, status=VineStatus.DESTROYING):
                assert vineyards.items[0].vines[0].status is VineStatus.DESTROYING
                await ann.vines.destroy(vine.id)

        with pytest.raises(errors.VineNotDestroyable):
            await destroy()
        assert vineyards.items[0].vines == (vine,)


async def test_what_the_server_says_meanwhile_wins(
    ann: AsyncVintner, tendril: AsyncVintner
) -> None:
    (job,) = await plans(ann, 1)
    async with ann.live.jobs() as jobs:

        async def cancel_late() -> None:
            with jobs.optimistic(job.id, status=JobStatus.CANCELLED):
                await tendril.lease.claim_next_job()
                await shows(jobs, lambda items: items[0].status is JobStatus.CLAIMED)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await cancel_late()
        held = await ann.jobs.get(job.id)
        assert list(jobs.items) == [held]


async def test_an_older_row_never_overwrites_a_newer_one(ann: AsyncVintner) -> None:
    (queued,) = await plans(ann, 1)
    async with ann.live.jobs() as jobs:
        cancelled = await ann.jobs.cancel(queued.id)
        jobs.add_or_update(cancelled)
        assert list(jobs.items) == [cancelled]
        jobs.add_or_update(queued)
        assert list(jobs.items) == [cancelled]
        jobs.remove(uuid4())
        assert list(jobs.items) == [cancelled]
        jobs.remove(queued.id)
        assert list(jobs.items) == []


async def test_rows_that_do_not_belong_are_refused(ann: AsyncVintner) -> None:
    (job,) = await plans(ann, 1)
    async with ann.live.jobs() as jobs, ann.live.tendrils() as tendrils:
        with pytest.raises(errors.InvalidInput, match="No Job stands in this store"):
            tendrils.add_or_update(job)
        for values in ({"colour": "red"}, {"status": "SHINY"}):
            with pytest.raises(errors.InvalidInput), jobs.optimistic(job.id, **values):
                raise AssertionError
        assert list(jobs.items) == [job]
    with pytest.raises(errors.InvalidInput):
        ann.live.jobs(page_size=0)


async def test_callbacks_are_told_until_they_are_not(
    ann: AsyncVintner, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []

    def fail(items: tuple[Job, ...]) -> None:
        raise ZeroDivisionError

    async with ann.live.jobs() as jobs:
        jobs.on_change(fail)
        unsubscribe = jobs.on_change(lambda items: told.append(len(items)))
        await plans(ann, 1)
        await shows(jobs, lambda items: items)
        assert told == [1]
        unsubscribe()
        unsubscribe()
        await plans(ann, 1)
        await shows(jobs, lambda items: len(items) == 2)
        assert told == [1]
    assert "a callback of a live store failed" in caplog.text


async def test_rights_that_are_given_or_taken_show_with_the_next_fetch(
    ann: AsyncVintner, bob: AsyncVintner
) -> None:
    team = await ann.accounts.create(name="Cellar")
    vineyard = await ann.vineyards.create(name="shared", account_id=team.id)
    assert bob.auth.session is not None
    email = str(bob.auth.session.email)
    await plant(bob)
    async with bob.live.vineyards(show=VineyardFilter(account_id=team.id)) as vineyards:
        assert list(vineyards.items) == []
        invited = await ann.accounts.invite(team.id, email=email, role=AccountRole.VIEWER)
        await bob.accounts.accept_invitation(token=invited.token.get_secret_value())
        await vineyards.refresh()
        assert [each.id for each in vineyards.items] == [vineyard.id]
        await ann.accounts.remove_member(team.id, bob.auth.user_id)
        await vineyards.refresh()
        assert list(vineyards.items) == []


async def test_a_store_is_opened_closed_and_opened_again(ann: AsyncVintner) -> None:
    (job,) = await plans(ann, 1)
    jobs = ann.live.jobs()
    assert list(jobs.items) == []
    async with jobs:
        with pytest.raises(errors.InvalidInput, match="open already"):
            await jobs.open()
    await jobs.close()
    assert list(jobs.items) == [job]
    with pytest.raises(errors.ClientClosed):
        await shows(jobs, lambda items: True)
    async with jobs:
        cancelled = await ann.jobs.cancel(job.id)
        await shows(jobs, lambda items: items == (cancelled,))
        await ann.close()
        with pytest.raises(errors.ClientClosed):
            await shows(jobs, lambda items: False)
        with pytest.raises(errors.ClientClosed):
            await jobs.refresh()
    assert list(jobs.items) == [cancelled]
