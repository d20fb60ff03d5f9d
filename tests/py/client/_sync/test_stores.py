# Made by scripts/generate_sync.py from tests/py/client/_async/test_stores.py: run `make sync`.
"""Live stores: they show what the server has, whoever changed it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

from support._sync.people import client_of, plant
from vintner_client import Vintner, errors
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


def shows(store: Any, condition: Callable[[Any], object]) -> Any:
    """The items, once a condition holds for them."""
    with closing(store.changes()) as changes:
        for items in changes:
            if condition(items):
                return items
    raise AssertionError


def plans(ann: Vintner, count: int) -> list[Job]:
    """So many PLANs of one vine, the newest first."""
    vine = plant(ann)
    jobs = [ann.vines.plan(vine.id) for _ in range(count)]
    return jobs[::-1]


def test_jobs_are_shown_as_they_go(ann: Vintner, tendril: Vintner) -> None:
    vine = plant(ann)
    first = ann.vines.plan(vine.id)
    with ann.live.jobs() as jobs:
        assert list(jobs.items) == [first]
        assert jobs.get(first.id) == first
        assert jobs.get(uuid4()) is None
        second = ann.vines.plan(vine.id)
        assert shows(jobs, lambda items: len(items) == 2) == (second, first)

        job = tendril.lease.claim_next_job()
        assert job is not None
        shows(jobs, lambda items: items[1].status is JobStatus.CLAIMED)
        tendril.lease.start_job(job)
        shows(jobs, lambda items: items[1].status is JobStatus.PROCESSING)
        done = tendril.lease.complete_job(job, status=JobStatus.SUCCESS)
        shows(jobs, lambda items: items[1].status is JobStatus.SUCCESS)
        assert jobs.get(first.id) == done
        ann.vines.delete(vine.id)
        shows(jobs, lambda items: not items)


def test_tendrils_are_shown_as_they_come_and_go(ann: Vintner, tendril: Vintner) -> None:
    worker_id = tendril.auth.user_id
    with ann.live.tendrils(show=TendrilFilter(name="tendril")) as tendrils:
        assert [each.status for each in tendrils.items] == [WorkerStatus.ONLINE]
        ann.tendrils.drain(worker_id)
        shows(tendrils, lambda items: items[0].status is WorkerStatus.DRAINING)
        ann.tendrils.register(name="another")
        ann.tendrils.rename(worker_id, name="old")
        shows(tendrils, lambda items: not items)
        ann.tendrils.rename(worker_id, name="tendril")
        shows(tendrils, lambda items: items)
        ann.tendrils.remove(worker_id)
        shows(tendrils, lambda items: not items)


def test_vineyards_are_shown_with_their_vines(ann: Vintner, bob: Vintner) -> None:
    with ann.live.vineyards() as vineyards:
        assert list(vineyards.items) == []
        vine = plant(ann)
        (one,) = shows(vineyards, lambda items: items and items[0].vines)
        assert one.vines == (vine,)
        ann.vines.harvest(vine.id)
        (one,) = shows(vineyards, lambda items: items[0].vines[0].status is VineStatus.QUEUED)
        assert one.vines == (ann.vines.get(vine.id),)

        other = plant(ann)
        _, two = shows(vineyards, lambda items: len(items) == 2 and items[1].vines)
        assert two.vines == (other,)
        ann.vineyards.update(two.id, name="cellar")
        shows(vineyards, lambda items: items[1].name == "cellar")
        # whoever listens is told that it is gone
        bob.vines.delete((plant(bob)).id)
        ann.vines.delete(other.id)
        shows(vineyards, lambda items: not items[1].vines)
        ann.vineyards.delete(two.id)
        assert len(shows(vineyards, lambda items: len(items) == 1)) == 1


def test_a_filter_holds_for_what_changes(ann: Vintner, tendril: Vintner) -> None:
    newest, oldest = plans(ann, 2)
    waiting = JobFilter(status=[JobStatus.QUEUED], vine_id=newest.vine_id)
    with ann.live.jobs(show=waiting) as jobs:
        assert list(jobs.items) == [newest, oldest]
        job = tendril.lease.claim_next_job()
        assert job is not None
        assert shows(jobs, lambda items: len(items) == 1) == (newest,)
        plans(ann, 1)
        assert newest.vine_id is not None
        late = ann.vines.plan(newest.vine_id)
        assert shows(jobs, lambda items: len(items) == 2) == (late, newest)

        jobs.show(JobFilter(status=JobStatus.CLAIMED, job_type=JobType.PLAN))
        assert [each.id for each in jobs.items] == [oldest.id]
        assert jobs.filter.status is JobStatus.CLAIMED
        tendril.lease.start_job(job)
        shows(jobs, lambda items: not items)
        tendril.lease.complete_job(job, status=JobStatus.FAILED)
        again = tendril.lease.claim_next_job()
        assert again is not None
        assert shows(jobs, lambda items: len(items) == 1) == (again,)


def test_a_wrong_filter_changes_nothing(ann: Vintner) -> None:
    (job,) = plans(ann, 1)
    with ann.live.jobs() as jobs:
        with pytest.raises(errors.InvalidInput, match="is not an id"):
            jobs.show(JobFilter(vine_id="nonsense"))
        assert (jobs.items, jobs.filter) == ((job,), JobFilter())
        jobs.show(JobFilter(vine_id=str(job.vine_id).upper()))
        assert (jobs.items, jobs.filter) == ((job,), JobFilter(vine_id=job.vine_id))


def test_pages_come_one_after_the_other(ann: Vintner) -> None:
    found = plans(ann, 5)
    with ann.live.jobs(page_size=2) as jobs:
        assert (jobs.items, jobs.has_more, jobs.pages) == (tuple(found[:2]), True, 1)
        jobs.more()
        assert (jobs.items, jobs.has_more, jobs.pages) == (tuple(found[:4]), True, 2)
        # what is new stands in the pages, what is beyond them does not
        ann.jobs.cancel(found[4].id)
        cancelled = ann.jobs.cancel(found[3].id)
        assert found[2].vine_id is not None
        late = ann.vines.plan(found[2].vine_id)
        wanted = (late, *found[:3], cancelled)
        shows(jobs, lambda items: items == wanted)
        jobs.more()
        assert (len(jobs.items), jobs.has_more) == (6, False)
        jobs.show(JobFilter(status=JobStatus.CANCELLED))
        assert (len(jobs.items), jobs.pages) == (2, 1)


def test_filter_and_pages_are_remembered(
    ann: Vintner, supabase_stack: SupabaseStack, tmp_path: Any
) -> None:
    found = plans(ann, 3)
    storage = FileStorage(tmp_path)
    for first in (True, False):
        with client_of(supabase_stack, storage=storage, session=ann.auth.session) as client:
            with client.live.jobs(page_size=1, remember="dashboard") as jobs:
                if first:
                    jobs.show(JobFilter(status=[JobStatus.QUEUED]))
                    jobs.more()
                assert jobs.filter == JobFilter(status=[JobStatus.QUEUED])
                assert (jobs.items, jobs.pages) == (tuple(found[:2]), 2)
            # another name, and none
            with client.live.jobs(remember="list", show=JobFilter(status=[])) as jobs:
                assert jobs.filter == JobFilter(status=[])
            with client.live.jobs() as jobs:
                assert jobs.items == tuple(found)


def test_what_was_remembered_wrongly_is_nothing(
    ann: Vintner, supabase_stack: SupabaseStack
) -> None:
    storage = MemoryStorage()
    wanted = VineyardFilter(name="webshop")
    with client_of(supabase_stack, storage=storage, session=ann.auth.session) as client:
        for wrong in ('{"name": 1}, "pages": 2', '{"account_id": "me"}', '{}, "pages": 0', "[]"):
            kept = f'{{"filter": {wrong}}}'
            storage.set_item(f"vineyards old {supabase_stack.url}", kept)
            vineyards = client.live.vineyards(show=wanted, remember="old")
            assert (vineyards.filter, vineyards.pages) == (wanted, 1)


def test_a_call_shows_before_it_is_made(ann: Vintner) -> None:
    (job,) = plans(ann, 1)
    with ann.live.jobs() as jobs:
        with jobs.optimistic(job.id, status=JobStatus.CANCELLED):
            assert jobs.items[0].status is JobStatus.CANCELLED
            assert jobs.items[0].completed_at is None
            ann.jobs.cancel(job.id)
        assert jobs.items[0].status is JobStatus.CANCELLED
        shows(jobs, lambda items: items[0].completed_at is not None)
        # what the store has not is passed over
        with jobs.optimistic(uuid4(), status=JobStatus.CANCELLED):
            assert len(jobs.items) == 1


def test_a_call_that_fails_shows_no_longer(ann: Vintner) -> None:
    vine = plant(ann)
    with ann.live.vineyards() as vineyards:

        def destroy() -> None:
            with vineyards.optimistic(vine.id, status=VineStatus.DESTROYING):
                assert vineyards.items[0].vines[0].status is VineStatus.DESTROYING
                ann.vines.destroy(vine.id)

        with pytest.raises(errors.VineNotDestroyable):
            destroy()
        assert vineyards.items[0].vines == (vine,)


def test_what_the_server_says_meanwhile_wins(ann: Vintner, tendril: Vintner) -> None:
    (job,) = plans(ann, 1)
    with ann.live.jobs() as jobs:

        def cancel_late() -> None:
            with jobs.optimistic(job.id, status=JobStatus.CANCELLED):
                tendril.lease.claim_next_job()
                shows(jobs, lambda items: items[0].status is JobStatus.CLAIMED)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            cancel_late()
        held = ann.jobs.get(job.id)
        assert list(jobs.items) == [held]


def test_an_older_row_never_overwrites_a_newer_one(ann: Vintner) -> None:
    (queued,) = plans(ann, 1)
    with ann.live.jobs() as jobs:
        cancelled = ann.jobs.cancel(queued.id)
        jobs.add_or_update(cancelled)
        assert list(jobs.items) == [cancelled]
        jobs.add_or_update(queued)
        assert list(jobs.items) == [cancelled]
        jobs.remove(uuid4())
        assert list(jobs.items) == [cancelled]
        jobs.remove(queued.id)
        assert list(jobs.items) == []


def test_rows_that_do_not_belong_are_refused(ann: Vintner) -> None:
    (job,) = plans(ann, 1)
    with ann.live.jobs() as jobs, ann.live.tendrils() as tendrils:
        with pytest.raises(errors.InvalidInput, match="No Job stands in this store"):
            tendrils.add_or_update(job)
        for values in ({"colour": "red"}, {"status": "SHINY"}):
            with pytest.raises(errors.InvalidInput), jobs.optimistic(job.id, **values):
                raise AssertionError
        assert list(jobs.items) == [job]
    with pytest.raises(errors.InvalidInput):
        ann.live.jobs(page_size=0)


def test_callbacks_are_told_until_they_are_not(
    ann: Vintner, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[int] = []

    def fail(items: tuple[Job, ...]) -> None:
        raise ZeroDivisionError

    with ann.live.jobs() as jobs:
        jobs.on_change(fail)
        unsubscribe = jobs.on_change(lambda items: told.append(len(items)))
        plans(ann, 1)
        shows(jobs, lambda items: items)
        assert told == [1]
        unsubscribe()
        unsubscribe()
        plans(ann, 1)
        shows(jobs, lambda items: len(items) == 2)
        assert told == [1]
    assert "a callback of a live store failed" in caplog.text


def test_rights_that_are_given_or_taken_show_with_the_next_fetch(
    ann: Vintner, bob: Vintner
) -> None:
    team = ann.accounts.create(name="Cellar")
    vineyard = ann.vineyards.create(name="shared", account_id=team.id)
    assert bob.auth.session is not None
    email = str(bob.auth.session.email)
    plant(bob)
    with bob.live.vineyards(show=VineyardFilter(account_id=team.id)) as vineyards:
        assert list(vineyards.items) == []
        invited = ann.accounts.invite(team.id, email=email, role=AccountRole.VIEWER)
        bob.accounts.accept_invitation(token=invited.token.get_secret_value())
        vineyards.refresh()
        assert [each.id for each in vineyards.items] == [vineyard.id]
        ann.accounts.remove_member(team.id, bob.auth.user_id)
        vineyards.refresh()
        assert list(vineyards.items) == []


def test_a_store_is_opened_closed_and_opened_again(ann: Vintner) -> None:
    (job,) = plans(ann, 1)
    jobs = ann.live.jobs()
    assert list(jobs.items) == []
    with jobs, pytest.raises(errors.InvalidInput, match="open already"):
        jobs.open()
    jobs.close()
    assert list(jobs.items) == [job]
    with pytest.raises(errors.ClientClosed):
        shows(jobs, lambda items: True)
    with jobs:
        cancelled = ann.jobs.cancel(job.id)
        shows(jobs, lambda items: items == (cancelled,))
        ann.close()
        with pytest.raises(errors.ClientClosed):
            shows(jobs, lambda items: False)
        with pytest.raises(errors.ClientClosed):
            jobs.refresh()
    assert list(jobs.items) == [cancelled]
