"""The life of a stack: starting, stopping, and what survives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest

from vintner_local import lifecycle
from vintner_local.lifecycle import Wishes
from vintner_local.postmaster import find_server
from vintner_local.processes import ProcessRef

from .small_project import Project, eventually, make_project


def silent(_: str) -> None:
    """Takes progress that a test does not look at."""


def test_up_gives_what_a_client_needs(project: Project) -> None:
    printed = project.up()

    assert printed.exit_code == 0, printed.stderr
    assert (project.stack.project / ".env").read_text() == printed.stdout
    assert stat.S_IMODE((project.stack.project / ".env").stat().st_mode) == 0o600
    variables = dict(line.split("=", 1) for line in printed.stdout.replace('"', "").splitlines())
    assert list(variables) == [
        "SUPABASE_URL",
        "SUPABASE_PUBLISHABLE_KEY",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_JWT_SECRET",
        "SUPABASE_DB_URL",
        "SUPABASE_ADMIN_DB_URL",
    ]
    with urllib.request.urlopen(f"{variables['SUPABASE_URL']}/health") as answer:  # noqa: S310 - a URL of our own
        assert answer.status == 200
    asks = "select rolname, rolsuper from pg_roles where rolname = current_user"
    for name, role in (
        ("SUPABASE_DB_URL", ("postgres", False)),
        ("SUPABASE_ADMIN_DB_URL", ("supabase_admin", True)),
    ):
        with psycopg.connect(variables[name]) as connection:
            assert connection.execute(asks).fetchone() == role


def test_the_installed_command_knows_the_project_it_is_run_in(project: Project) -> None:
    command = Path(sys.executable).with_name("vintner-local")

    shown = subprocess.run(
        [str(command), "status", "-o", "json"],
        check=False,
        cwd=project.stack.project / "supabase",
        capture_output=True,
        text=True,
    )

    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["variables"] == project.state.variables()


def test_up_again_changes_nothing_but_applies_new_migrations(project: Project) -> None:
    before, first = project.running, project.up()
    migration = project.migration("20260101000200_more.sql")
    migration.write_text("create table public.more_notes (id bigint primary key);\n")

    second = project.up()

    assert second.exit_code == 0, second.stderr
    assert second.stdout == first.stdout
    assert project.running == before
    assert project.sql("select count(*) as n from public.more_notes") == [{"n": 0}]
    assert f"applied {migration.name}" in second.stderr


def test_data_survives_a_restart(project: Project) -> None:
    project.sql("insert into public.notes values (2, 'kept') on conflict do nothing returning id")
    processes = [project.running.supervisor, *(p.process for p in project.running.parts.values())]
    keys = project.state.keys

    assert project.command("down").exit_code == 0
    assert not any(process.alive() for process in processes)
    stopped = project.command("status")
    assert stopped.exit_code == 3
    assert "stopped" in stopped.stdout
    assert "not running" in project.command("sql", "select 1").stderr

    assert project.up().exit_code == 0
    assert project.sql("select body from public.notes where id = 2") == [{"body": "kept"}]
    assert project.state.keys == keys


@pytest.mark.parametrize("part", ["postgres", "api"])
def test_a_killed_part_comes_back_with_the_reason_in_the_log(project: Project, part: str) -> None:
    before = project.running.parts[part]
    os.kill(before.process.pid, signal.SIGKILL)

    def is_back() -> bool:
        now = project.running.parts[part]
        return now.ready and now.restarts > before.restarts

    assert eventually(is_back)
    assert f"{part} died: signal SIGKILL" in project.command("logs", "supervisor").stdout
    assert project.command("status").exit_code == 0
    assert project.sql("select 1 as n") == [{"n": 1}]


def test_a_killed_supervisor_leaves_nothing_that_stands_in_the_way(project: Project) -> None:
    project.sql("insert into public.notes values (3, 'kept') on conflict do nothing returning id")
    before = project.running
    os.kill(before.supervisor.pid, signal.SIGKILL)

    assert eventually(lambda: not before.parts["api"].process.alive())
    assert before.parts["postgres"].process.alive()
    assert project.command("status").exit_code == 3
    started = project.up()

    assert started.exit_code == 0, started.stderr
    assert not before.parts["postgres"].process.alive()
    assert project.sql("select body from public.notes where id = 3") == [{"body": "kept"}]


def test_down_ends_what_a_killed_supervisor_left(project: Project) -> None:
    os.kill(project.running.supervisor.pid, signal.SIGKILL)

    assert project.command("down").exit_code == 0
    assert find_server(project.state.cluster) is None


def test_a_taken_port_is_replaced_and_said(project: Project) -> None:
    assert project.command("down").exit_code == 0
    taken = project.state.api_port
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", taken))
        other.listen()
        started = project.up()

    assert started.exit_code == 0, started.stderr
    assert project.state.api_port != taken
    assert f"port {taken} is taken: the API uses {project.state.api_port}" in started.stderr
    assert "already runs" in project.up("--api-port", str(taken)).stderr


def test_reset_drops_the_data_and_keeps_the_keys(project: Project) -> None:
    project.sql("insert into public.notes values (4, 'dropped') returning id")
    before = project.state

    done = project.command("reset")

    assert done.exit_code == 0, done.stderr
    assert project.state == before
    assert project.sql("select body from public.notes") == [{"body": "seeded"}]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("select 1 from missing", 'relation "missing" does not exist'),
        ("create role boss superuser", "permission denied to create role"),
    ],
)
def test_a_bad_migration_is_one_sentence(project: Project, statement: str, reason: str) -> None:
    bad = project.migration("20260101000900_bad.sql")
    bad.write_text(f"create table public.half_done ();\n{statement};\n")
    try:
        failed = project.up()
    finally:
        bad.unlink()

    assert failed.exit_code == 1
    sentence = failed.stderr.splitlines()[0]
    assert sentence.startswith(f"vintner-local: applying migration {bad.name} failed: ")
    assert reason in sentence
    assert project.sql("select to_regclass('public.half_done') as t") == [{"t": None}]
    assert project.up().exit_code == 0


def test_a_change_of_the_exposed_schemas_restarts_the_api(project: Project) -> None:
    config = project.stack.project / "supabase" / "config.toml"
    before, text = project.running, config.read_text()
    config.write_text(text + '[api]\nschemas = ["public", "cloud"]\n')
    try:
        assert project.up().exit_code == 0
        launch = project.stack.load_launch()
    finally:
        config.write_text(text)

    assert launch is not None
    assert launch.api.schemas == ("public", "cloud")
    assert project.running.parts["api"].process != before.parts["api"].process
    assert project.running.parts["postgres"] == before.parts["postgres"]


def test_secrets_are_in_no_command_line(project: Project) -> None:
    state = project.state
    secrets = [state.password, state.keys.secret, state.keys.jwt_secret]

    for reference in (
        project.running.supervisor,
        *(part.process for part in project.running.parts.values()),
    ):
        line = " ".join(psutil.Process(reference.pid).cmdline())
        assert not any(secret in line for secret in secrets)


def test_a_stack_ends_with_its_owner(project: Project) -> None:
    assert project.command("down").exit_code == 0
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        lifecycle.up(project.stack, Wishes(owner=ProcessRef.of(owner.pid)), silent)
        assert lifecycle.running(project.stack) is not None

    assert eventually(lambda: lifecycle.running(project.stack) is None)
    assert eventually(lambda: find_server(project.state.cluster) is None)


@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_data_lies_where_postgresql_may_go(mode: int, tmp_path: Path) -> None:
    """PostgreSQL of root is another user, who may not enter a folder that is root's alone."""
    # pytest's own folders lie below one that is the user's alone
    base = tmp_path if mode == 0o700 else Path(tempfile.mkdtemp(dir="/var/tmp"))
    base.chmod(mode)
    project = make_project(base / "project")
    leftover = project.stack.folder / "postgres.new"
    leftover.mkdir(parents=True)
    (leftover / "half").write_text("made")
    try:
        started = project.up()
        assert started.exit_code == 0, started.stderr
        inside = project.state.cluster.is_relative_to(project.stack.folder)
        assert inside == (mode == 0o755 or os.geteuid() != 0)
        owner = project.state.cluster.stat().st_uid
        assert (owner != 0) if os.geteuid() == 0 else (owner == os.geteuid())
        assert stat.S_IMODE(base.stat().st_mode) == mode
        assert project.command("down").exit_code == 0
        shutil.rmtree(project.stack.folder)
        again = project.up()
        assert again.exit_code == 0, again.stderr
    finally:
        lifecycle.remove(project.stack)
        gone = not project.stack.folder.exists()
        shutil.rmtree(base)
    assert gone
