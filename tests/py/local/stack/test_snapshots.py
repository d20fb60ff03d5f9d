"""Snapshots of the data by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vintner_local import snapshots

from .small_project import Project


def bodies(project: Project) -> list[str]:
    return [row["body"] for row in project.sql("select body from public.notes order by id")]


def test_a_snapshot_brings_the_data_back_and_nothing_else(project: Project) -> None:
    project.sql("delete from public.notes where id >= 50 returning id")
    before, state = bodies(project), project.state

    taken = project.command("snapshot", "before-it")

    assert taken.exit_code == 0, taken.stderr
    assert project.command("status").exit_code == 0, "it runs again"
    project.sql("insert into public.notes values (50, 'later') returning id")
    again = project.command("snapshot", "before-it")
    assert again.exit_code == 1
    assert "--force replaces it" in again.stderr
    restored = project.command("restore", "before-it")
    assert restored.exit_code == 0, restored.stderr
    assert bodies(project) == before
    assert project.state == state
    assert project.command("status").exit_code == 0


def test_a_stopped_stack_stays_stopped(project: Project) -> None:
    project.sql("insert into public.notes values (51, 'forced') returning id")
    assert project.command("down").exit_code == 0
    for name in ("first", "second.1"):
        assert project.command("snapshot", name).exit_code == 0
    assert project.command("snapshot", "first", "--force").exit_code == 0
    listed = [line.split()[-1] for line in project.command("snapshots").stdout.splitlines()]
    assert [name for name in listed if name != "before-it"] == ["second.1", "first"]
    assert project.command("restore", "first").exit_code == 0
    assert project.command("status").exit_code == 3
    assert project.up().exit_code == 0
    assert "forced" in bodies(project)


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../up", "a/b", "a b", "x" * 65, "ä"])
def test_a_bad_name_is_refused(project: Project, name: str) -> None:
    for command in ("snapshot", "restore"):
        refused = project.command(command, "--", name)
        assert refused.exit_code == 1
        assert "is no name for a snapshot" in refused.stderr


def test_an_unknown_snapshot_is_one_sentence(project: Project) -> None:
    refused = project.command("restore", "never-taken")
    assert refused.exit_code == 1
    assert "there is no snapshot never-taken" in refused.stderr


def test_a_full_disk_leaves_everything_as_it_was(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bodies(project)
    assert project.command("down").exit_code == 0
    assert project.command("snapshot", "whole").exit_code == 0
    run = subprocess.run

    def copies_half(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """A disk that is full after the first file, told in the words of the system's `cp`."""
        assert arguments[0] == "/bin/cp"
        source, target = Path(arguments[-2]), Path(arguments[-1])
        target.mkdir()
        shutil.copyfile(source / "PG_VERSION", target / "PG_VERSION")
        return run(["/bin/cp", str(source / "PG_VERSION"), "/dev/full"], **options)

    monkeypatch.setattr(snapshots.subprocess, "run", copies_half)  # type: ignore[attr-defined]
    refused = project.command("snapshot", "half")
    not_restored = project.command("restore", "whole")
    monkeypatch.undo()

    assert "vintner-local: the data cannot be copied: the disk is full" in refused.stderr
    assert "the disk is full" in not_restored.stderr
    assert not (project.stack.snapshots / "half").exists()
    assert not (project.stack.snapshots / snapshots.UNFINISHED).exists()
    assert project.up().exit_code == 0
    assert bodies(project) == before
