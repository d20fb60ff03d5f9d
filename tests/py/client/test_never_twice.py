"""A request is sent again only where that does no more than sending it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from support._async.people import client_of, plant
from support.faulty import Faulty, faulty_front
from support.waiting import until
from vintner_client import AsyncVintner, Vintner, _retries, errors
from vintner_client._retries import Retries, pause
from vintner_client.models import Job, JobStatus, Vine
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
async def front(supabase_stack: SupabaseStack) -> AsyncIterator[Faulty]:
    """A front of the stack that can lose answers."""
    async with faulty_front(supabase_stack.url) as front:
        yield front


@pytest.fixture
async def eve(
    ann: AsyncVintner, supabase_stack: SupabaseStack, front: Faulty
) -> AsyncIterator[AsyncVintner]:
    """Ann, behind the front."""
    async with client_of(supabase_stack, url=front.url, session=ann.auth.session) as client:
        yield client


MAKING: dict[str, Callable[[AsyncVintner, Vine], Awaitable[Job]]] = {
    "plan": lambda eve, vine: eve.vines.plan(vine.id),
    "harvest": lambda eve, vine: eve.vines.harvest(vine.id),
    "test": lambda eve, vine: eve.identities.test(str(vine.cloud_identity_id)),
    "fetch_resources": lambda eve, vine: eve.identities.fetch_resources(
        str(vine.cloud_identity_id)
    ),
}


@pytest.mark.parametrize("make", MAKING)
async def test_one_call_makes_one_job_though_its_answer_was_lost(
    ann: AsyncVintner, eve: AsyncVintner, front: Faulty, make: str
) -> None:
    vine = await plant(ann)
    front.loses = {"enqueue_job", "enqueue_identity_job"}
    front.times = dict.fromkeys(front.loses, 2)

    job = await MAKING[make](eve, vine)

    assert sum(front.failed.values()) == 2
    assert [found.id for found in await ann.jobs.list().all()] == [job.id]


async def test_a_destroy_and_a_retry_make_one_job_too(
    ann: AsyncVintner, eve: AsyncVintner, tendril: AsyncVintner, front: Faulty
) -> None:
    vine = await plant(ann)
    await ann.vines.harvest(vine.id)
    await end(tendril, JobStatus.SUCCESS)
    front.loses = {"enqueue_job", "retry_job"}
    front.times = {"enqueue_job": 1, "retry_job": 1}
    await eve.vines.destroy(vine.id)
    failed = await end(tendril, JobStatus.FAILED)
    await eve.jobs.retry(failed.id)
    assert front.failed == {"enqueue_job": 1, "retry_job": 1}
    assert len(await ann.jobs.list().all()) == 3


async def test_the_sync_client_makes_one_job_too(ann: AsyncVintner, front: Faulty) -> None:
    vine = await plant(ann)
    front.loses, front.times = {"enqueue_job"}, {"enqueue_job": 2}

    def harvest() -> Job:
        with Vintner(url=front.url, key=ann._key, session=ann.auth.session) as eve:
            return eve.vines.harvest(vine.id)

    job = await asyncio.to_thread(harvest)
    assert front.failed["enqueue_job"] == 2
    assert [found.id for found in await ann.jobs.list().all()] == [job.id]


async def test_what_has_no_key_is_not_sent_again(
    ann: AsyncVintner, eve: AsyncVintner, front: Faulty
) -> None:
    """The answer was lost, so that nobody knows: the caller is told and looks."""
    front.loses = {"create_account", "vineyards"}
    with pytest.raises(errors.ConnectionFailed, match=r"broke\. What was asked may have been done"):
        await eve.accounts.create(name="Cellar")
    with pytest.raises(errors.ConnectionFailed, match="may have been done"):
        await eve.vineyards.create(name="mine")
    assert front.failed == {"create_account": 1, "vineyards": 1}
    assert len(await ann.accounts.list(name="Cellar").all()) == 1
    assert len(await ann.vineyards.list().all()) == 1


async def test_a_job_that_may_have_been_made_is_told(
    ann: AsyncVintner, eve: AsyncVintner, front: Faulty
) -> None:
    vine = await plant(ann)
    front.loses = {"enqueue_job"}
    with pytest.raises(errors.ConnectionFailed, match="may have been done"):
        await eve.vines.plan(vine.id)
    assert front.failed == {"enqueue_job": 3}


async def test_who_waits_for_a_job_outlasts_a_server_that_is_away(
    ann: AsyncVintner,
    eve: AsyncVintner,
    tendril: AsyncVintner,
    front: Faulty,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = await ann.vines.plan((await plant(ann)).id)
    waiting = asyncio.create_task(eve.jobs.wait(job.id))
    await asyncio.sleep(1)
    front.answers = {"provision_jobs": 503}
    await until(lambda: front.failed["provision_jobs"] >= 4)  # one try and its repetitions
    front.answers = {}
    await end(tendril, JobStatus.SUCCESS)
    assert (await waiting).status is JobStatus.SUCCESS

    monkeypatch.setattr(_retries, "PATIENCE", 1.0)
    job = await ann.vines.plan(str(job.vine_id))
    waiting = asyncio.create_task(eve.jobs.wait(job.id))
    await asyncio.sleep(1)
    front.answers = {"provision_jobs": 503}
    with pytest.raises(errors.ServerFailed):
        await waiting


async def test_reads_are_sent_again_and_then_given_up(eve: AsyncVintner, front: Faulty) -> None:
    front.loses = {"vines"}
    front.times = {"vines": 2}
    assert await eve.vines.list().all() == []
    assert front.failed["vines"] == 2
    front.times = {}
    with pytest.raises(errors.ConnectionFailed, match=r"broke\. Try again"):
        await eve.with_options(max_retries=1).vines.list().all()
    assert front.failed["vines"] == 4
    front.loses, front.answers = set(), {"vines": 503}
    with pytest.raises(errors.ServerFailed) as raised:
        await eve.with_options(max_retries=0).vines.list().all()
    assert (raised.value.code, raised.value.status) == ("http_503", 503)
    assert front.failed["vines"] == 5


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_server_says_when_to_come_again(status: int) -> None:
    asked: list[float] = []
    loop = asyncio.get_running_loop()

    async def answer(_: web.Request) -> web.Response:
        asked.append(loop.time())
        if len(asked) < 3:
            return web.Response(status=status, headers={"Retry-After": "1"})
        return web.json_response([])

    app = web.Application()
    app.router.add_get("/rest/v1/vines", answer)
    async with (
        TestServer(app) as server,
        AsyncVintner(url=str(server.make_url("")), key="any") as client,
    ):
        assert await client.vines.list().all() == []
        asked.clear()
        with pytest.raises(errors.VintnerError) as raised:
            await client.with_options(max_retries=1).vines.list().all()
    assert raised.value.status == status
    assert asked[1] - asked[0] >= 1


def test_pauses_double_up_to_eight_seconds() -> None:
    for tried, longest in enumerate((0.5, 1, 2, 4, 8, 8, 8), start=1):
        pauses = {pause(tried) for _ in range(200)}
        assert longest / 2 <= min(pauses)
        assert max(pauses) <= longest
        assert len(pauses) > 100
    assert Retries().most == 2


async def test_two_clients_of_one_process_send_their_own_headers(
    ann: AsyncVintner, bob: AsyncVintner
) -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers.get("apikey"), request.headers.get("Authorization")))
        return web.json_response([])

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with (
        TestServer(app) as server,
        AsyncVintner(url=str(server.make_url("")), key="one", session=ann.auth.session) as one,
        AsyncVintner(url=str(server.make_url("")), key="two", session=bob.auth.session) as two,
        AsyncVintner(url=str(server.make_url("")), key="three") as nobody,
    ):
        clients = {"one": one, "two": two, "three": nobody}
        for client in [*clients.values(), *clients.values()]:
            await client.vines.list().all()
            await client.table("vines").select("*").execute()
        await asyncio.gather(*(client.vines.list().all() for client in clients.values()))

    def sent(key: str) -> tuple[str, str | None]:
        session = clients[key].auth.session
        return key, f"Bearer {session.access_token}" if session else None

    in_turn = [sent(key) for key in clients for _ in range(2)]
    assert seen[:12] == in_turn * 2
    assert set(seen[12:]) == {sent(key) for key in clients}


async def end(tendril: AsyncVintner, status: JobStatus) -> Job:
    """The next job, claimed and ended so."""
    job = await tendril.lease.claim_next_job()
    assert job is not None
    await tendril.lease.start_job(job)
    return await tendril.lease.complete_job(job, status=status)


async def test_what_has_moved_is_told_and_not_followed(
    ann: AsyncVintner, supabase_stack: SupabaseStack
) -> None:
    """A write that follows becomes a read."""

    async def move(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"{supabase_stack.url}{request.path_qs}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", move)
    async with (
        TestServer(app) as server,
        client_of(supabase_stack, url=str(server.make_url("")), session=ann.auth.session) as client,
    ):
        with pytest.raises(errors.ServerFailed, match="moved to http"):
            await client.vineyards.create(name="mine")
        with pytest.raises(errors.ServerFailed, match="moved to http"):
            await client.auth.sign_in(email="ann@example.com", password="any")
