"""What the end-to-end tests stand on."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest

from support._async.people import client_of
from support.faulty import Faulty, faulty_front
from support.home import Home
from support.proxy import Proxy, proxy_to
from support.tendrils import COMMAND, BuildGate, Gate, StartTendril, Tendril
from vintner_local.pytest_plugin import SupabaseStack


@pytest.fixture
async def home(supabase_stack: SupabaseStack) -> AsyncIterator[Home]:
    async with client_of(supabase_stack) as client:
        home = Home(client, supabase_stack.admin_db_url)
        await home.move_in()
        yield home


@pytest.fixture
async def start_tendril(
    supabase_stack: SupabaseStack, tmp_path: Path
) -> AsyncIterator[StartTendril]:
    """Starts Tendrils, each in a folder of its own; `environment` changes its environment."""
    tendrils: list[Tendril] = []

    async def start(
        token: str | None, *options: str, environment: Mapping[str, str | None] | None = None
    ) -> Tendril:
        folder = tmp_path / f"tendril-{len(tendrils)}"
        folder.mkdir()
        variables: dict[str, str | None] = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "SUPABASE_URL": supabase_stack.url,
            "SUPABASE_PUBLISHABLE_KEY": supabase_stack.publishable_key,
            "VINTNER_TENDRIL_TOKEN": token,
            **(environment or {}),
        }
        with (folder / "stderr").open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                COMMAND,
                "run",
                "--poll-interval=0.1",
                f"--work-dir={folder / 'jobs'}",
                *options,
                cwd=folder,
                env={name: value for name, value in variables.items() if value is not None},
                stdin=asyncio.subprocess.DEVNULL,
                stderr=stderr,
            )
        tendril = Tendril(folder, process)
        tendrils.append(tendril)
        return tendril

    yield start
    for tendril in tendrils:
        with contextlib.suppress(ProcessLookupError):
            tendril.process.kill()
        await tendril.process.wait()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[BuildGate]:
    gates: list[Gate] = []

    def build(command: str, *, ignoring_interrupts: bool = False) -> Gate:
        folder = tmp_path / f"gate-{len(gates)}"
        gates.append(Gate(folder, command, ignoring_interrupts=ignoring_interrupts))
        return gates[-1]

    yield build
    for built in gates:
        built.tear_down()


@pytest.fixture
async def proxy(supabase_stack: SupabaseStack) -> AsyncIterator[Proxy]:
    async with proxy_to(supabase_stack.url) as proxy:
        yield proxy


@pytest.fixture
async def faulty(supabase_stack: SupabaseStack) -> AsyncIterator[Faulty]:
    async with faulty_front(supabase_stack.url) as faulty:
        yield faulty
