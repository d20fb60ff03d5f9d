"""The pytest plugin, used by a project's own test run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vintner_local.processes import ProcessRef

from .small_project import eventually, make_project

TESTS = """
import os
import psutil
import psycopg
import pytest
from pathlib import Path

@pytest.mark.parametrize("number", range(4))
def test_shared(supabase_stack, number):
    assert os.environ["VINTNER_TEST_ADMIN_DSN"] == supabase_stack.admin_db_url
    with psycopg.connect(supabase_stack.db_url) as connection:
        assert connection.execute("select body from public.notes").fetchone() == ("seeded",)
    with psycopg.connect(supabase_stack.admin_db_url) as connection:
        data, = connection.execute("show data_directory").fetchone()
    pid = int((Path(data) / "postmaster.pid").read_text().splitlines()[0])
    with Path("seen.txt").open("a") as seen:
        seen.write(f"{pid} {psutil.Process(pid).create_time()} {data}\\n")
"""


KILLED = """
import os
import signal
from pathlib import Path

def test_it(supabase_stack):
    assert (supabase_stack.folder / "state.json").exists()
    Path("seen.txt").write_text(str(supabase_stack.folder))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("options", [["-p", "no:xdist"], ["-n", "2"]])
def test_a_run_shares_one_stack_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    project = make_project(tmp_path / "project").stack.project
    (project / "test_notes.py").write_text(TESTS)
    (project / "pytest.ini").write_text("[pytest]\nsupabase_project = .\n")
    for name in ("VINTNER_TEST_ADMIN_DSN", "VINTNER_TEST_STACK"):
        monkeypatch.delenv(name, raising=False)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "vintner_local.pytest_plugin", *options],
        check=False,
        cwd=project,
        capture_output=True,
        text=True,
    )

    assert "4 passed" in done.stdout, done.stdout + done.stderr
    seen = set((project / "seen.txt").read_text().splitlines())
    assert len(seen) == 1
    pid, started, data = seen.pop().split(" ", 2)
    server = ProcessRef(pid=int(pid), started=float(started))
    assert eventually(lambda: not server.alive())
    assert not Path(data).exists()


def test_a_killed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project").stack.project
    (project / "test_notes.py").write_text(KILLED)
    (project / "pytest.ini").write_text("[pytest]\nsupabase_project = .\n")
    for name in ("VINTNER_TEST_ADMIN_DSN", "VINTNER_TEST_STACK"):
        monkeypatch.delenv(name, raising=False)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "vintner_local.pytest_plugin", "-p", "no:xdist"],
        check=False,
        cwd=project,
        capture_output=True,
        text=True,
    )

    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    folder = Path((project / "seen.txt").read_text())
    assert folder.name.startswith("vintner-tests-")
    assert eventually(lambda: not folder.exists())


def test_no_project_named_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(supabase_stack): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    for name in ("VINTNER_TEST_ADMIN_DSN", "VINTNER_TEST_STACK"):
        monkeypatch.delenv(name, raising=False)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "vintner_local.pytest_plugin", "-p", "no:xdist"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "set the ini option supabase_project" in done.stdout
