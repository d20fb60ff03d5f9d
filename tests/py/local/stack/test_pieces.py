"""Pieces of the stack that need no running stack."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from vintner_local import env_file, ports
from vintner_local.ending import end
from vintner_local.errors import StackError
from vintner_local.processes import ProcessRef
from vintner_local.server_user import server_user
from vintner_local.stack import find_stack

from .small_project import make_project


def test_env_merge_replaces_only_what_is_named() -> None:
    present = '# mine\nexport OTHER="a=b"\nSUPABASE_URL=https://old.example.com\n\nLAST=1'

    merged = env_file.merge(present, {"SUPABASE_URL": "http://new", "SUPABASE_KEY": "k"})

    assert merged == (
        '# mine\nexport OTHER="a=b"\nSUPABASE_URL="http://new"\n\nLAST=1\nSUPABASE_KEY="k"\n'
    )
    assert env_file.merge(merged, {"SUPABASE_URL": "http://new", "SUPABASE_KEY": "k"}) == merged


def test_env_merge_removes_a_second_value_of_the_same_name() -> None:
    assert env_file.merge("A=1\nB=2\nA=3\n", {"A": "4"}) == 'A="4"\nB=2\n'


def test_env_file_is_for_its_owner_alone_and_a_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "shared.env", tmp_path / ".env"
    target.write_text("OTHER=1\n")
    target.chmod(0o644)
    link.symlink_to(target)

    env_file.write(link, {"A": "1"})

    assert link.is_symlink()
    assert target.read_text() == 'OTHER=1\nA="1"\n'
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_env_file_that_is_no_text_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"A=\xff\n")

    with pytest.raises(StackError, match="is not UTF-8"):
        env_file.write(path, {"A": "1"})

    assert path.read_bytes() == b"A=\xff\n"


def test_a_taken_port_is_replaced() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken: int = other.getsockname()[1]

        chosen = ports.choose(taken)

        assert chosen != taken
        assert ports.is_free(chosen)
        assert not ports.is_free(taken)
    assert ports.choose(chosen, besides=chosen) != chosen


def test_a_recycled_pid_is_not_ours() -> None:
    itself = ProcessRef.of(os.getpid())
    assert itself is not None
    assert itself.alive()

    earlier = ProcessRef(pid=itself.pid, started=itself.started - 60)

    assert not earlier.alive()
    assert earlier.end(), "nothing to end, and this test goes on"


def test_a_project_is_found_from_a_folder_within(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    monkeypatch.chdir(project.stack.project / "supabase" / "migrations")

    assert find_stack() == project.stack
    assert find_stack(folder=tmp_path / "other").folder == tmp_path / "other"


def test_no_project_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StackError, match="go to a project or name it by --project"):
        find_stack()
    with pytest.raises(StackError, match="is not a Supabase project"):
        find_stack(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[api", "is not valid TOML"),
        ("[api]\nmax_rows = 'many'\n", "api.max_rows: Input should be a valid integer"),
        ("[api]\nschemas = []\n", "api.schemas: Tuple should have at least 1 item"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    project = make_project(tmp_path / "project")
    (project.stack.project / "supabase" / "config.toml").write_text(text)

    with pytest.raises(StackError, match=message):
        project.stack.config()


def test_postgresql_never_runs_as_root(tmp_path: Path) -> None:
    user = server_user(None)

    if os.geteuid() != 0:
        assert user is None
        return
    assert user is not None
    assert user.uid != 0
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 12345, 23456)
    kept = server_user(data)
    assert kept is not None
    assert (kept.uid, kept.gid) == (12345, 23456)


async def test_a_task_that_swallows_a_cancellation_is_ended_too() -> None:
    began = asyncio.Event()
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            swallowed += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(stubborn())
    await began.wait()
    await end(task)
    assert task.cancelled()
    assert swallowed == 1
