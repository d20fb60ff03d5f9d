"""A client that is closed leaves nothing open: no socket, no file, no thread."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from uuid import UUID

import pytest

from support._async.people import client_of, plant
from support._sync import people as sync_people
from support.waiting import until
from vintner_client import AsyncVintner, FileStorage, Vintner, errors
from vintner_local.pytest_plugin import SupabaseStack

ROUNDS = 5


def open_files() -> list[str]:
    """What this process has open, without the handle that looks."""
    found = []
    for handle in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{handle}"))
        except FileNotFoundError:
            continue
    return sorted(name for name in found if not name.startswith("/proc/"))


def kinds(names: list[str]) -> list[str]:
    """What they are: sockets and pipes of any number, files by their names."""
    return sorted(name.partition("[")[0] for name in names)


async def test_the_async_client_closes_all_that_it_opened(
    ann: AsyncVintner, supabase_stack: SupabaseStack, tmp_path: object
) -> None:
    job = await ann.vines.plan((await plant(ann)).id)
    session = ann.auth.session
    # what is made once for the process: resolvers, modules and the like
    before: list[str] = []
    for turn in range(ROUNDS + 1):
        storage = FileStorage(str(tmp_path))
        async with client_of(supabase_stack, storage=storage, session=session) as client:
            await asyncio.gather(*(client.vines.list().all() for _ in range(3)))
            await client.table("vines").select("*").execute()
            with_less = client.with_options(max_retries=0)
            await with_less.vines.list().all()
            followed = client.jobs.follow_logs(job.id)
            waiting = asyncio.ensure_future(anext(followed))
            await client.auth.access_token(fresh=True)
            await asyncio.sleep(0.3)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await followed.aclose()
            session = client.auth.session
            assert len(open_files()) > len(before)
        if turn == 0:
            before = kinds(open_files())

    async def is_as_before() -> bool:
        return kinds(open_files()) == before

    await until(is_as_before, 30)


def test_the_sync_client_closes_all_that_it_opened(
    supabase_stack: SupabaseStack, tmp_path: object
) -> None:
    before: list[str] = []
    threads = threading.active_count()
    with sync_people.client_of(supabase_stack) as ann:
        sync_people.sign_up(ann)
        job = ann.vines.plan(sync_people.plant(ann).id)
        session = ann.auth.session
    for turn in range(ROUNDS + 1):
        storage = FileStorage(str(tmp_path))
        with sync_people.client_of(supabase_stack, storage=storage, session=session) as client:
            client.vines.list().all()
            follower = threading.Thread(target=follow, args=(client, job.id))
            follower.start()
            follower.join(0.5)
            client.auth.access_token(fresh=True)
            session = client.auth.session
            assert len(open_files()) > len(before)
        follower.join()
        if turn == 0:
            before = kinds(open_files())

    deadline = time.monotonic() + 30
    while (kinds(open_files()), threading.active_count()) != (before, threads):
        assert time.monotonic() < deadline, open_files()
        time.sleep(0.05)


def follow(client: Vintner, job_id: UUID) -> None:
    """Follows a log until the client is closed."""
    with pytest.raises(errors.ClientClosed):
        list(client.jobs.follow_logs(job_id))
