"""Live stores of the sync client, used from several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from support._sync.people import client_of, plant, sign_up
from support.waiting import until
from vintner_client import Vintner, errors
from vintner_client.models import Job, JobFilter, JobStatus
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
def ann(supabase_stack: SupabaseStack) -> Iterator[Vintner]:
    with client_of(supabase_stack) as client:
        sign_up(client)
        yield client


def have_all_seen(counts: list[list[int]], count: int) -> bool:
    return all(seen and seen[-1] >= count for seen in counts)


async def test_callbacks_come_from_the_clients_thread_and_read_alone(ann: Vintner) -> None:
    vine = plant(ann)
    told: list[tuple[str, int]] = []
    refused: list[errors.VintnerError] = []
    with ann.live.jobs() as jobs:

        def on_change(items: tuple[Job, ...]) -> None:
            told.append((threading.current_thread().name, len(jobs.items)))
            try:
                jobs.refresh()
            except errors.InvalidInput as error:
                refused.append(error)

        jobs.on_change(on_change)
        job = ann.vines.plan(vine.id)
        await until(lambda: told)
        assert told[0] == ("vintner-live", 1)
        assert "waits for the thread that it runs in" in str(refused[0])
        # the thread is well
        jobs.refresh()
        assert jobs.get(job.id) == job


async def test_threads_read_while_it_changes(ann: Vintner) -> None:
    vine = plant(ann)
    counts: list[list[int]] = [[] for _ in range(3)]
    ended = threading.Event()

    def read(seen: list[int]) -> None:
        while not ended.is_set():
            items = jobs.items
            assert all(jobs.get(each.id) is not None for each in items)
            seen.append(len(items))

    with ann.live.jobs() as jobs:
        threads = [threading.Thread(target=read, args=(seen,)) for seen in counts]
        for thread in threads:
            thread.start()
        for number in range(10):
            jobs.add_or_update(ann.vines.plan(vine.id))
            await until(partial(have_all_seen, counts, number + 1))
        ended.set()
        for thread in threads:
            thread.join()
    for seen in counts:
        assert seen == sorted(seen)
        assert seen[-1] == 10


async def test_who_waits_for_changes_is_told_when_the_client_is_closed(ann: Vintner) -> None:
    refused: list[errors.VintnerError] = []
    began = threading.Event()

    def wait() -> None:
        try:
            for _ in jobs.changes():
                began.set()
        except errors.ClientClosed as error:
            refused.append(error)

    with ann.live.jobs() as jobs:
        thread = threading.Thread(target=wait)
        thread.start()
        began.wait(30)
        ann.close()
        thread.join(30)
    assert len(refused) == 1
    assert not any(each.name == "vintner-live" for each in threading.enumerate())


def test_the_example_in_the_documentation_runs(
    ann: Vintner, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "live.md").read_text()
    code = page.partition("## Live stores")[2].partition("```python")[2].partition("```")[0]
    ann.vines.plan(plant(ann).id)
    exec(code, {"client": ann, "JobFilter": JobFilter, "JobStatus": JobStatus})  # noqa: S102
    assert capsys.readouterr().out == "0 left\n"
