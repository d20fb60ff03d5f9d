"""The stack of a plain user, in a path with spaces."""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from ..stack.small_project import Project, make_project
from .plain_user import PlainUser, plain_user


@pytest.fixture
def user() -> Iterator[PlainUser]:
    """In a folder that every user may enter, as pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="vintner-user-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield plain_user(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def project(user: PlainUser) -> Iterator[Project]:
    made = make_project(user.home / "a project")
    user.owns(user.home)
    try:
        yield made
    finally:
        done = user.run("down", "--project", str(made.stack.project))
        assert done.returncode == 0, done.stderr


def test_a_plain_user_has_a_stack(user: PlainUser, project: Project) -> None:
    where = ("--project", str(project.stack.project))
    for ports in (("--api-port", "0", "--db-port", "0"), ()):
        started = user.run("up", *where, *ports)
        assert started.returncode == 0, started.stderr

        told = user.run("status", *where, "-o", "json")
        assert told.returncode == 0, told.stderr
        variables = json.loads(told.stdout)["variables"]
        url, key = variables["SUPABASE_URL"], variables["SUPABASE_PUBLISHABLE_KEY"]
        body = {"email": "vera@example.com", "password": "correct horse battery"}
        grant = "signup" if ports else "token?grant_type=password"
        answer = httpx.post(f"{url}/auth/v1/{grant}", json=body, headers={"apikey": key})
        assert answer.status_code == 200, answer.text
        seeded = user.run("sql", *where, "--json", "select body from public.notes")
        assert json.loads(seeded.stdout) == [{"body": "seeded"}]

        running = project.running
        for each in (running.supervisor, *(part.process for part in running.parts.values())):
            assert psutil.Process(each.pid).uids().effective == user.uid
        assert user.run("down", *where).returncode == 0

    cluster = project.state.cluster
    assert cluster.is_relative_to(project.stack.folder)
    assert (cluster.stat().st_uid, stat.S_IMODE(cluster.stat().st_mode)) == (user.uid, 0o700)
    assert stat.S_IMODE((project.stack.project / ".env").stat().st_mode) == 0o600
