"""A pytest plugin: one local stack for a whole test run.

Named by the ini option `supabase_project`, the project's stack is started before the first test, in
a temporary folder and on free ports, with the project's migrations and seed, and removed after the
last one. With pytest-xdist all workers share it.

A run that finds `VINTNER_TEST_ADMIN_DSN` set uses what is there and starts nothing.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from vintner_local import lifecycle
from vintner_local.errors import StackError
from vintner_local.lifecycle import Wishes
from vintner_local.processes import ProcessRef
from vintner_local.stack import SUPERUSER, Stack, StackState, find_stack

PROJECT_OPTION = "supabase_project"
STACK_VARIABLE = "VINTNER_TEST_STACK"
ADMIN_VARIABLE = "VINTNER_TEST_ADMIN_DSN"


class SupabaseStack(BaseModel):
    """What tests need of the running stack.

    Attributes:
        folder: the stack's own; what `vintner-local --data` takes.
        url: the API.
        publishable_key: opaque key of the role `anon`.
        secret_key: opaque key of the role `service_role`.
        jwt_secret: signs every token.
        db_url: the database as `postgres`.
        admin_db_url: the database as its superuser.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str
    db_url: str
    admin_db_url: str

    @classmethod
    def of(cls, stack: Stack, state: StackState) -> SupabaseStack:
        """What tests need of a running stack."""
        return cls(
            folder=stack.folder,
            url=state.api_url,
            publishable_key=state.keys.publishable,
            secret_key=state.keys.secret,
            jwt_secret=state.keys.jwt_secret,
            db_url=state.db_url("postgres"),
            admin_db_url=state.db_url(SUPERUSER),
        )


STARTED = pytest.StashKey[Stack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the ini option."""
    parser.addini(PROJECT_OPTION, "Supabase project whose local stack the tests use", default="")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Starts the stack, in the process that starts the workers if there are any."""
    config = session.config
    project: str = config.getini(PROJECT_OPTION)
    is_worker = hasattr(config, "workerinput")
    if not project or is_worker or config.option.collectonly or ADMIN_VARIABLE in os.environ:
        return
    folder = Path(tempfile.mkdtemp(prefix="vintner-tests-"))
    folder.chmod(0o711)
    try:
        stack = find_stack(config.rootpath / project, folder)
        config.stash[STARTED] = stack
        owner = ProcessRef.of(os.getpid())
        wishes = Wishes(api_port=0, db_port=0, owner=owner)
        state = lifecycle.up(stack, wishes, config.get_terminal_writer().line)
    except StackError as error:
        pytest.exit(f"the local stack does not start: {error}\n{error.detail}", returncode=1)
    found = SupabaseStack.of(stack, state)
    os.environ[STACK_VARIABLE] = found.model_dump_json()
    os.environ[ADMIN_VARIABLE] = found.admin_db_url


def pytest_unconfigure(config: pytest.Config) -> None:
    """Removes the stack, however the run ended."""
    stack = config.stash.get(STARTED, None)
    if stack is None:
        return
    for name in (STACK_VARIABLE, ADMIN_VARIABLE):
        os.environ.pop(name, None)
    lifecycle.remove(stack)


@pytest.fixture(scope="session")
def supabase_stack() -> SupabaseStack:
    """The stack of this run."""
    described = os.environ.get(STACK_VARIABLE)
    if described is None:
        pytest.fail(f"no local stack: set the ini option {PROJECT_OPTION} to a project's folder")
    return SupabaseStack.model_validate_json(described)
