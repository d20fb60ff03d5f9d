"""The recipes of docs/client.md, run as they stand there, print what stands under them."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support._async.people import PASSWORD, client_of, sign_up, tendril_of
from vintner_client import AsyncVintner, FileStorage
from vintner_client.models import JobStatus, NewLogChunk, StreamType
from vintner_local.pytest_plugin import SupabaseStack

PAGE = Path(__file__).parents[3] / "docs" / "client.md"
RECIPE = re.compile(
    r"^## (?P<title>[^\n]+)\n(?:(?!^## ).)*?"
    r"^```python\n(?P<program>.*?)^```\n+^```text\n(?P<said>.*?)^```",
    re.DOTALL | re.MULTILINE,
)
RECIPES = {found["title"]: found for found in RECIPE.finditer(PAGE.read_text())}
BEING_A_TENDRIL = "Be a Tendril"
SIGNING_IN = "Sign in, and stay signed in"


def test_there_are_ten() -> None:
    assert len(RECIPES) == PAGE.read_text().count("```python") == 10
    assert {BEING_A_TENDRIL, SIGNING_IN} < RECIPES.keys()


@pytest.fixture
async def email(supabase_stack: SupabaseStack, tmp_path: Path) -> AsyncIterator[str]:
    """A new user's e-mail address, whose session and things are as the page supposes."""
    async with client_of(supabase_stack, storage=FileStorage(tmp_path / ".vintner")) as client:
        email = await sign_up(client)
        vineyard = await client.vineyards.create(name="webshop")
        identity = await client.identities.create(provider="local", name="sandbox")
        await client.vines.plant(
            {
                "vineyard_id": vineyard.id,
                "cloud_identity_id": identity.id,
                "project_name": "shop",
                "region": "eu-west-1",
                "databases": [{"name": "main"}],
            }
        )
        yield email


@pytest.mark.parametrize("title", RECIPES)
async def test_a_recipe_does_what_it_says(
    title: str, email: str, supabase_stack: SupabaseStack, tmp_path: Path
) -> None:
    recipe = RECIPES[title]
    storage = FileStorage(tmp_path / ".vintner")
    async with (
        client_of(supabase_stack, storage=storage) as owner,
        client_of(supabase_stack) as tendril,
    ):
        working = None
        if title != BEING_A_TENDRIL:
            await tendril_of(owner, tendril)
            working = asyncio.create_task(work(tendril))
        if title == SIGNING_IN:
            storage.remove_item(f"session {supabase_stack.url}")
        run = await asyncio.create_subprocess_exec(
            sys.executable,
            "-W",
            "error",
            "-c",
            recipe["program"],
            cwd=tmp_path,
            env={
                **os.environ,
                "SUPABASE_URL": supabase_stack.url,
                "SUPABASE_PUBLISHABLE_KEY": supabase_stack.publishable_key,
                "EMAIL": email,
                "PASSWORD": PASSWORD,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await run.communicate()
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    assert (out.decode(), err.decode()) == (recipe["said"], "")


async def work(tendril: AsyncVintner) -> None:
    """Does each job at once, and says so in its log."""
    while True:
        job = await tendril.lease.claim_next_job()
        if job is None:
            await asyncio.sleep(0.2)
            continue
        await tendril.lease.start_job(job)
        said = NewLogChunk(seq=1, log_chunk="Apply complete!\n", stream_type=StreamType.STDOUT)
        await tendril.lease.append_logs(job, [said])
        await tendril.lease.complete_job(job, status=JobStatus.SUCCESS)
