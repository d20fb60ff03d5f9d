"""The same log, followed by supabase-js's own client and by ours."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from support._async.people import PASSWORD
from support.following import Reader, Writer
from support.waiting import until
from vintner_client import AsyncVintner
from vintner_client.models import LogChunk
from vintner_local.install import install_packages, node
from vintner_local.pytest_plugin import SupabaseStack

PROGRAM = Path(__file__).parents[3] / "js" / "follow.mjs"
TEXTS = ("plain\n", "ünï · 日本 · 𝄞\n", "", "\x1b[31mred\x1b[0m", '"quoted" \\ \u2028\n')

Seen = tuple[int, str, str, datetime]


class Js:
    """A supabase-js client that follows a log.

    Attributes:
        seen: what it was sent, by `broadcast` and by `changes`.
        is_ready: whether it hears both.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.seen: dict[str, list[Seen]] = {"broadcast": [], "changes": []}
        self.is_ready = False
        self._process = process
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said: Any = json.loads(line)
            if said == "ready":
                self.is_ready = True
                continue
            at = datetime.fromisoformat(said["created_at"])
            seen = (said["seq"], said["log_chunk"], said["stream_type"], at)
            self.seen[said["way"]].append(seen)

    def has(self, count: int) -> bool:
        """Whether so many came each way."""
        assert not self.reading.done(), "the program has ended"
        return all(len(seen) >= count for seen in self.seen.values())


@asynccontextmanager
async def js_follower(stack: SupabaseStack, ann: AsyncVintner, writer: Writer) -> AsyncIterator[Js]:
    """A program that follows a log with supabase-js."""
    packages = await asyncio.to_thread(install_packages, PROGRAM.parent, print)
    assert ann.auth.session is not None
    orders = {
        "url": stack.url,
        "key": stack.publishable_key,
        "email": ann.auth.session.email,
        "password": PASSWORD,
        "job_id": str(writer.job.id),
    }
    process = await asyncio.create_subprocess_exec(
        str(node()),
        str(PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PACKAGES": str(packages)},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(orders).encode() + b"\n")
    js = Js(process)
    try:
        await until(lambda: js.is_ready or js.reading.done(), 60)
        yield js
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def seen(chunk: LogChunk) -> Seen:
    """What of a chunk is compared."""
    return chunk.seq, chunk.log_chunk, chunk.stream_type.value, chunk.created_at


async def test_both_see_the_same_chunks(
    supabase_stack: SupabaseStack, ann: AsyncVintner, writer: Writer
) -> None:
    async with js_follower(supabase_stack, ann, writer) as js:
        reader = Reader(ann, writer.job)
        for _ in range(40):
            await writer.append(TEXTS)
            await asyncio.sleep(0.01)
        await until(lambda: js.has(writer.seq))
        await writer.end()
        assert await reader.text() == writer.text
    ours = [seen(chunk) for chunk in reader.chunks]
    assert len(ours) == writer.seq
    assert js.seen == {"broadcast": ours, "changes": ours}
