"""The same faults again and again, in random order; run by `make soak`."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sized

import psycopg
import pytest
from supabase import AsyncClient

from support.waiting import until
from vintner_local.stack import SUPERUSER

from ..stack.small_project import Project
from .test_kills import OUTAGE_ANSWERS, assert_kept, kill_backend, kill_part, kill_supervisor
from .test_kills import client as client
from .test_kills import listen as listen
from .writing import writing

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
TERMINATE = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"


def end_sessions(condition: str) -> Callable[[Project], None]:
    """Ends sessions of the database the gentle way."""

    def end(project: Project) -> None:
        with psycopg.connect(project.state.db_url(SUPERUSER), autocommit=True) as connection:
            connection.execute(f"{TERMINATE} and {condition}".encode())

    return end


def write_much(project: Project) -> None:
    """More changes at once than Realtime keeps waiting."""
    with psycopg.connect(project.state.db_url(SUPERUSER)) as connection:
        connection.execute(
            "insert into public.written select gen_random_uuid(), n, gen_random_uuid()"
            " from generate_series(1, 5000) as n"
        )


def lock_the_table(project: Project) -> None:
    """Nobody can read or judge rows for a while."""
    with psycopg.connect(project.state.db_url(SUPERUSER)) as connection:
        connection.execute("lock table public.written in access exclusive mode")
        time.sleep(2)


FAULTS: dict[str, Callable[[Project], None]] = {
    "kill the API": kill_part("api"),
    "kill PostgreSQL": kill_part("postgres"),
    "kill a backend": kill_backend,
    "kill the supervisor": kill_supervisor,
    "end the stream": end_sessions("backend_type = 'walsender'"),
    "end all sessions": end_sessions("backend_type = 'client backend'"),
    "write much": write_much,
    "lock the table": lock_the_table,
}


async def grows(collected: Sized) -> None:
    """Waits until more comes, for longer than a locked table may hold things up."""
    known = len(collected)
    await until(lambda: len(collected) > known + 20, 40)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
async def test_many_faults_in_a_row(project: Project, client: AsyncClient) -> None:
    session = await client.auth.get_session()
    assert session is not None
    heard = await listen(client)
    chance = random.SystemRandom()
    deadline = time.monotonic() + SECONDS
    async with writing(project.state, session.access_token) as writers:
        await until(lambda: heard)
        while time.monotonic() < deadline:
            name = chance.choice(list(FAULTS))
            await asyncio.to_thread(FAULTS[name], project)
            print(f"{name}: {len(writers.acknowledged)} acknowledged, {len(heard)} heard")
            await grows(writers.acknowledged)
            await grows(heard)
            await asyncio.sleep(chance.uniform(0, 2))
    assert set(writers.refusals) <= OUTAGE_ANSWERS
    assert_kept(project, writers)
