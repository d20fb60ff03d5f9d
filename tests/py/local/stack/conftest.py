"""One small project, and its stack, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vintner_local import lifecycle

from .small_project import Project, make_project


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One project for all tests of this folder, its path holding a space."""
    project = make_project(tmp_path_factory.mktemp("stack") / "a project")
    yield project
    lifecycle.remove(project.stack)


@pytest.fixture
def project(shared: Project) -> Project:
    """The shared project with its stack running."""
    if shared.command("status").exit_code != 0:
        started = shared.up()
        assert started.exit_code == 0, started.stderr
    return shared
