"""Follows a job's log as a program of its own.

What it is told comes as one line of JSON on standard input. For each chunk it asks for the job as
well, and prints a line of JSON: the text, and what it holds at that moment.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tracemalloc
from typing import TypedDict
from uuid import UUID

from vintner_client import AsyncVintner, Vintner
from vintner_client.models import LogChunk


class Orders(TypedDict):
    """What the program is told."""

    url: str
    key: str
    email: str
    password: str
    job_id: str
    is_sync: bool


class Said(TypedDict):
    """What the program says with each chunk.

    Attributes:
        seq: the chunk's.
        text: the chunk's.
        renewals: how many sessions have followed the first.
        tasks: asyncio's, in this thread.
        traced: bytes that Python holds.
    """

    seq: int
    text: str
    renewals: int
    tasks: int
    traced: int


sessions: set[str] = set()


def say(client: AsyncVintner | Vintner, chunk: LogChunk, tasks: int) -> None:
    """Prints a line for a chunk."""
    if client.auth.session is not None:
        sessions.add(client.auth.session.refresh_token)
    gc.collect()
    said = Said(
        seq=chunk.seq,
        text=chunk.log_chunk,
        renewals=len(sessions) - 1,
        tasks=tasks,
        traced=tracemalloc.get_traced_memory()[0],
    )
    print(json.dumps(said), flush=True)


async def follow(orders: Orders) -> None:
    """Follows with the asynchronous client."""
    async with AsyncVintner(url=orders["url"], key=orders["key"]) as client:
        await client.auth.sign_in(email=orders["email"], password=orders["password"])
        async for chunk in client.jobs.follow_logs(orders["job_id"]):
            await client.jobs.get(orders["job_id"])
            say(client, chunk, len(asyncio.all_tasks()))


def follow_sync(orders: Orders) -> None:
    """Follows with the other client."""
    with Vintner(url=orders["url"], key=orders["key"]) as client:
        client.auth.sign_in(email=orders["email"], password=orders["password"])
        for chunk in client.jobs.follow_logs(UUID(orders["job_id"])):
            client.jobs.get(orders["job_id"])
            say(client, chunk, 0)


def main() -> None:
    """Does what standard input says."""
    orders: Orders = json.loads(sys.stdin.readline())
    tracemalloc.start()
    if orders["is_sync"]:
        follow_sync(orders)
    else:
        asyncio.run(follow(orders))


if __name__ == "__main__":
    main()
