"""Two stacks in two folders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from vintner_local import lifecycle
from vintner_local.lifecycle import Wishes
from vintner_local.ports import any_free
from vintner_local.stack import StackState

from .small_project import Project, make_project


def test_two_stacks_know_nothing_of_each_other(project: Project, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other")
    try:
        started = other.up("--realtime-delay", "real")
        assert started.exit_code == 0, started.stderr
        mine, theirs = project.state, other.state
        assert len({mine.api_port, mine.db_port, theirs.api_port, theirs.db_port}) == 4
        launch, other_launch = project.stack.load_launch(), other.stack.load_launch()
        assert launch is not None
        assert other_launch is not None
        assert (launch.api.realtime_delay, other_launch.api.realtime_delay) == ("0", "real")

        other.sql("update public.notes set body = 'of the other' returning id")
        assert project.sql("select count(*) from public.notes where body = 'of the other'") == [
            {"count": 0}
        ]
        for url, key, status in (
            (mine.api_url, mine.keys.secret, 200),
            (theirs.api_url, theirs.keys.secret, 200),
            (mine.api_url, theirs.keys.secret, 401),
            (theirs.api_url, mine.keys.secret, 401),
        ):
            answer = httpx.get(f"{url}/auth/v1/settings", headers={"apikey": key})
            assert answer.status_code == status
        assert other.command("down").exit_code == 0
        assert project.command("status").exit_code == 0
    finally:
        lifecycle.remove(other.stack)


def test_two_stacks_that_start_at_once_on_the_same_ports(tmp_path: Path) -> None:
    projects = [make_project(tmp_path / name) for name in ("one", "two")]
    api_port = any_free()
    wishes = Wishes(api_port=api_port, db_port=any_free(besides=api_port))

    def up(project: Project) -> StackState:
        return lifecycle.up(project.stack, wishes, lambda _: None)

    try:
        with ThreadPoolExecutor() as threads:
            states = list(threads.map(up, projects))
        assert len({port for state in states for port in (state.api_port, state.db_port)}) == 4
        for state in states:
            answer = httpx.get(
                f"{state.api_url}/auth/v1/settings", headers={"apikey": state.keys.secret}
            )
            assert answer.status_code == 200
    finally:
        for project in projects:
            lifecycle.remove(project.stack)
