"""The real `grape`, run as a person runs it, with a home of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support._async.people import PASSWORD, client_of, new_email
from vintner_local.pytest_plugin import SupabaseStack

PROGRAM = str(Path(sys.executable).with_name("grape"))


@dataclass
class Result:
    """How a run of grape ended."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The output as TSV."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


@dataclass
class Grape:
    """Runs grape in a home and a folder.

    Attributes:
        home: holds the session, and is the working directory.
        env: the whole environment.
    """

    home: Path
    env: dict[str, str]

    def __call__(self, *args: str, stdin: str = "") -> Result:
        """Runs a command to its end."""
        done = subprocess.run(
            [PROGRAM, *args],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.env,
            cwd=self.home,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Starts a command and leaves it running."""
        return subprocess.Popen(
            [PROGRAM, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            cwd=self.home,
        )

    def file(self, name: str, text: str) -> str:
        """Writes a file into the working directory; gives its name."""
        (self.home / name).write_text(text)
        return name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home."""
    return tmp_path


@pytest.fixture
def stranger(home: Path) -> Grape:
    """Grape on a machine that knows no project."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SUPABASE_", "VINTNER_", "XDG_"))
    }
    return Grape(home, {**env, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")})


@pytest.fixture
def visitor(stranger: Grape, supabase_stack: SupabaseStack) -> Grape:
    """Grape that knows the stack and is not signed in."""
    stranger.file(
        ".env",
        f'SUPABASE_URL="{supabase_stack.url}"\n'
        f'SUPABASE_PUBLISHABLE_KEY="{supabase_stack.publishable_key}"\n',
    )
    return stranger


@pytest.fixture
def email() -> str:
    """The e-mail address of this test's user."""
    return new_email()


@pytest.fixture
def grape(visitor: Grape, email: str) -> Grape:
    """Grape, signed in as a user of this test's own."""
    done = visitor("login", email, "--sign-up", "--password-stdin", stdin=PASSWORD)
    assert done.status == 0, done.err
    return visitor


@pytest.fixture
def planted(grape: Grape, email: str, supabase_stack: SupabaseStack) -> Callable[..., str]:
    """Plants a vine in the vineyard webshop; gives its id."""

    async def plant(manifest: dict[str, object]) -> str:
        async with client_of(supabase_stack) as client:
            await client.auth.sign_in(email=email, password=PASSWORD)
            vineyard = await client.vineyards.create(name="webshop")
            identity = await client.identities.create(provider="local", name="sandbox")
            ids = {"vineyard_id": vineyard.id, "cloud_identity_id": identity.id}
            common = {"project_name": "shop", "region": "eu-west-1", "network": {}}
            return str((await client.vines.plant({**common, **ids, **manifest})).id)

    def planted(**manifest: object) -> str:
        # in a thread of its own: an async test has a running loop
        with ThreadPoolExecutor() as pool:
            return pool.submit(lambda: asyncio.run(plant(manifest))).result()

    return planted
