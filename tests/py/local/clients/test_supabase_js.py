"""supabase-js, by the checks in tests/js, on the Node.js that the stack brings."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from vintner_local.install import install_packages, node

from .world import World, serving

CHECKS = Path(__file__).parents[3] / "js"
RESULT = re.compile(r"^    (?P<verdict>ok|not ok) \d+ - (?P<name>.*)$", re.MULTILINE)
EXPECTED_CHECKS = 13


async def test_supabase_js(world: World, clients_dsn: str, subtests: pytest.Subtests) -> None:
    packages = await asyncio.to_thread(install_packages, CHECKS, print)
    async with serving(clients_dsn, jwt_expiry=5) as short:
        process = await asyncio.create_subprocess_exec(
            str(node()),
            "--test-reporter=tap",
            "--test-force-exit",
            str(CHECKS / "checks.mjs"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                **os.environ,
                "PACKAGES": str(packages),
                "API_URL": world.url,
                "PUBLISHABLE_KEY": world.keys.publishable,
                "SECRET_KEY": world.keys.secret,
                "SHORT_URL": short.url,
                "SHORT_KEY": short.keys.publishable,
            },
        )
        printed = (await process.communicate())[0].decode()
    # a check's own lines come before the next one's verdict
    found = list(RESULT.finditer(printed))
    ends = [*(match.start() for match in found[1:]), len(printed)]
    for match, end in zip(found, ends, strict=True):
        with subtests.test(match["name"]):
            assert match["verdict"] == "ok", printed[match.start() : end]
    assert len(found) == EXPECTED_CHECKS, printed
    assert process.returncode == 0, printed
